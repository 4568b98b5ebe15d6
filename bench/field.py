"""What every scenario needs: the plan, the peers that take part, folders, and progress."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from .load.wrk import Exchange
from .peers import DOWNLOAD, EVENTS, JSON, ORIGIN, UPLOAD, Ask, Peer
from .plan import Plan
from .processes import Processes, Running
from .upstreams import ANSWER, BULK, QUESTION

DIRECT = "direct"

_PATHS = {JSON: "/v1/chat", UPLOAD: "/sink", DOWNLOAD: "/file/bulk", EVENTS: "/events"}


@dataclass(frozen=True)
class Field:
    """Who takes part, how long, and where.

    :ivar folder: a temporary folder; scenarios make their own in it.
    """

    plan: Plan
    peers: tuple[Peer, ...]
    folder: Path
    npm: Path
    begun: float = field(default_factory=time.monotonic)

    def say(self, text: str) -> None:
        """One line of progress."""
        print(f"{time.monotonic() - self.begun:6.1f} s  {text}", flush=True)

    def memory_peers(self) -> tuple[Peer, ...]:
        """Those that take part in bulk, streams and slow reader."""
        wanted = self.plan.memory_peers
        return tuple(peer for peer in self.peers if not wanted or peer.name in wanted)

    @contextmanager
    def started(
        self, upstream_port: int, peers: Iterable[Peer]
    ) -> Iterator[dict[str, tuple[Peer, Running]]]:
        """Fresh processes of *peers* before the upstream, listening; stopped at the end."""
        with Processes() as processes:
            upstream = f"http://127.0.0.1:{upstream_port}"
            folder = Path(tempfile.mkdtemp(dir=self.folder))
            found = {
                peer.name: (peer, peer.start(processes, folder, upstream, self.npm))
                for peer in peers
            }
            for _, running in found.values():
                running.wait_until_listening()
            yield found


def exchange(peer: Peer | None, upstream_port: int, kind: str, path: str = "") -> Exchange:
    """The request of *kind* through *peer*, or to the upstream itself."""
    path = path or _PATHS[kind]
    ask = Ask(path) if peer is None else peer.ask(f"http://127.0.0.1:{upstream_port}", path, kind)
    headers = {"Origin": ORIGIN, **ask.headers}
    if kind == JSON:
        headers["Content-Type"] = "application/json"
        return Exchange("POST", ask.path, headers, ANSWER, body=QUESTION)
    if kind == UPLOAD:
        headers["Content-Type"] = "application/octet-stream"
        return Exchange("POST", ask.path, headers, b'{"bytes":%d}' % BULK, body_size=BULK)
    return Exchange("GET", ask.path, headers, BULK)


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median and range of the rounds."""
    return {
        "median": statistics.median(values),
        "min": min(values),
        "max": max(values),
    }
