"""``forward_headers`` of a route, judged before the first request. Pure."""

from __future__ import annotations

from .headers import is_token
from .model import HeaderPairs, HeaderValue
from .problems import Problems
from .rewrite import injected_headers
from .route_options import ForwardHeaders
from .secret import Secret


def fixed_headers(given: ForwardHeaders | None, problems: Problems) -> HeaderPairs:
    """The server-side headers, as they are sent; none where a callable makes them.

    Each bad one is a problem of its own.
    """
    if given is None or callable(given):
        return ()
    pairs: list[tuple[bytes, HeaderValue]] = []
    for name, value in given.items():
        # What is no header's name may be a key in its place, and is not shown.
        with problems.under(f"forward_headers.{name}" if is_token(name) else "forward_headers"):
            (pair,) = injected_headers({name: value})
            if isinstance(pair[1], Secret):
                pair[1].refuse_mistakes(in_header=True)
            pairs.append(pair)
    return tuple(pairs)


def refuse_as_key(header: str, given: ForwardHeaders | None, problems: Problems) -> None:
    """Refuse a key in *header*, which names the target: it would be the page's to set, and read."""
    if given is None:
        return
    for name in getattr(given, "names", ()) if callable(given) else given:
        if name.lower() == header.lower():
            problems.lines.append(
                f"forward_headers.{name}: is the route's target_url_header, which the page sets;"
                " put the key into another header"
            )
