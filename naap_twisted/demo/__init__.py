"""The demo: two embedded upstreams, a proxy before them and a page that shows the way of a request.

Only ``twistd naap-proxy --demo`` loads it.
"""

from .service import DemoService, create_demo_service

__all__ = ["DemoService", "create_demo_service"]
