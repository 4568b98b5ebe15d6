"""The demo: two embedded upstreams, a proxy before them and a page that shows the way of a request.

Nothing here is loaded unless somebody asks for ``--demo``; the proxy itself never imports it.
"""

from .service import DemoService, create_demo_service

__all__ = ["DemoService", "create_demo_service"]
