"""An external-API proxy: a browser calls OpenAI, Stripe or a WebRTC endpoint, the key stays here.

The layers, along the way of a request:

- :mod:`.downstream` and :mod:`.framing`: bytes to requests, handed on at the end of their headers
- :mod:`.wrappers`: what needs neither target nor user: request id, https, CORS, limits
- :mod:`.server`: Klein's url map, mounts, listening
- :mod:`.route.spine`: the spine, calling :mod:`.policy.target`, :mod:`.policy.egress`,
  :mod:`.route.body`, :mod:`.route.request_headers` in order, with :mod:`.auth` before them
- :mod:`.whip`: WebRTC sessions, whose URLs are signed for one user
- :mod:`.upstream`: vetted targets to connections and answers; :mod:`.route.relay` carries
  them back
- :mod:`.options`, :mod:`.config`, :mod:`.start`: how it is told what to do, and started
- :mod:`.admin`: what operators and developers see, on a port of its own

Start with :func:`create_plugin_server` and :func:`create_external_proxy`.
"""

from .create import create_plugin_server
from .errors import ConfigError, NaapError, ProxyError
from .model import ExposeHeader, RateLimit, User
from .route.spine import ExternalProxy, create_external_proxy
from .secret import Secret
from .server.plugin_server import PluginServer

__version__ = "0.1.0"

__all__ = [
    "ConfigError",
    "ExposeHeader",
    "ExternalProxy",
    "NaapError",
    "PluginServer",
    "ProxyError",
    "RateLimit",
    "Secret",
    "User",
    "__version__",
    "create_external_proxy",
    "create_plugin_server",
]
