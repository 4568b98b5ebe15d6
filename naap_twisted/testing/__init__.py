"""Public fakes, for the tests of a plugin and for our own: real sockets, no surprises.

Everything listens on 127.0.0.1 only, is made inside a ``twisted.trial`` test and cleans up after
itself. Nothing polls: :meth:`Watchable.until` is asked again whenever bytes or closes arrive.
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
