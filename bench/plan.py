"""How long and how often: the full run and the quick one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """Sizes of one run; times in whole seconds.

    :ivar auth_rounds: of one second: what a session adds is small beside a request's cost, and
        than what a busy machine adds for seconds at a time; many short pairs tell them apart.
    :ivar stream_counts: how many event streams are held at once, one run each.
    :ivar peers: who takes part; ``()`` is everybody.
    :ivar memory_peers: and who of them in bulk, streams and slow reader; ``()`` is everybody.
    """

    name: str
    rounds: int
    seconds: int
    warm_up: int
    connections: tuple[int, ...]
    auth_rounds: int
    bulk_rounds: int
    bulk_seconds: int
    stream_counts: tuple[int, ...]
    stream_seconds: int
    slow_seconds: int
    starts: int
    profile_seconds: int
    peers: tuple[str, ...]
    memory_peers: tuple[str, ...]


FULL = Plan(
    name="full",
    rounds=5,
    seconds=3,
    warm_up=2,
    connections=(1, 32, 256),
    auth_rounds=45,
    bulk_rounds=3,
    bulk_seconds=3,
    stream_counts=(2_000, 10_000),
    stream_seconds=10,
    slow_seconds=5,
    starts=5,
    profile_seconds=8,
    peers=(),
    memory_peers=(),
)

QUICK = Plan(
    name="quick",
    rounds=2,
    seconds=1,
    warm_up=1,
    connections=(1, 32, 256),
    auth_rounds=4,
    bulk_rounds=1,
    bulk_seconds=1,
    stream_counts=(200,),
    stream_seconds=3,
    slow_seconds=2,
    starts=2,
    profile_seconds=2,
    peers=(
        "ours",
        "cors-anywhere",
        "http-proxy-middleware",
        "aiohttp",
        "klein + treq",
        "nginx",
    ),
    memory_peers=("ours", "cors-anywhere", "nginx"),
)

#: Stream counts above this are for our own proxy only.
PEER_STREAMS = 2_000
