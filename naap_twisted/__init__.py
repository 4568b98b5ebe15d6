"""An external-API proxy: a browser calls OpenAI, Stripe or a WebRTC endpoint, the key stays here.

The rooms, along the way of a request (docs/architecture.md has it with file names):

- :mod:`.downstream` and :mod:`.framing`: from bytes to a request, at the end of its headers
- :mod:`.wrappers`: what needs neither target nor user: request id, https, CORS, rate limit
- :mod:`.server`: Klein's url map, mounts, listening, the end
- :mod:`.route`: one route; :mod:`.route.spine` calls :mod:`.auth`, :mod:`.limits`, :mod:`.policy`
  and the route's own body and header rules in order, and relays the answer
- :mod:`.whip`: WebRTC sessions, whose URLs are signed for one user
- :mod:`.upstream`: from a vetted target to a connection and a response
- :mod:`.credentials`: keys that are more than a text: access tokens, signatures, secret files
- :mod:`.keys`, :mod:`.spend`, :mod:`.storage`: users' own keys and usage, and their database
- :mod:`.options`, :mod:`.config`, :mod:`.start`: every option, TOML files, the ways to start
- :mod:`.observe`, :mod:`.admin`, :mod:`.page`: log, health, and the port for operators
- :mod:`.demo`, :mod:`.testing`: the demo's upstreams, and fakes for the tests of a plugin

Start with :func:`create_plugin_server` and :func:`create_external_proxy`.
"""

from .create import create_plugin_server
from .errors import ConfigError, NaapError, ProxyError
from .model import ExposeHeader, RateLimit, SignableRequest, User
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
    "SignableRequest",
    "User",
    "__version__",
    "create_external_proxy",
    "create_plugin_server",
]
