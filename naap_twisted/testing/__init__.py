"""Public fakes over real sockets, for the tests of a plugin and of this package.

Each is made inside a ``twisted.trial`` test, listens on 127.0.0.1 only, and is closed at the test's
end. Nothing polls: :meth:`Watchable.until` looks again whenever bytes or the end of a connection
arrive.
"""

from .client import Answer, RawClient, request_bytes
from .resolver import StaticResolver
from .server import RunningServer
from .upstream import ABORT, CLOSE, PAUSE, Received, ScriptedUpstream, Step
from .watchable import Watchable

__all__ = [
    "ABORT",
    "CLOSE",
    "PAUSE",
    "Answer",
    "RawClient",
    "Received",
    "RunningServer",
    "ScriptedUpstream",
    "StaticResolver",
    "Step",
    "Watchable",
    "request_bytes",
]
