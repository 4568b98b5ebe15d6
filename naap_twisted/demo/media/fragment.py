"""SDP fragments of a PATCH (RFC 8840), and which of their candidates can be reached. Pure."""

from __future__ import annotations

import re
from ipaddress import ip_address

from attrs import frozen

MAX_CANDIDATES = 50
_CANDIDATE = "a=candidate:"
_END = "a=end-of-candidates"
# RTP over UDP, with numbers that aiortc can read and a socket can send to (RFC 8839 section 5.1).
_USABLE = re.compile(
    r"\S+ 1 udp [0-9]{1,10} (\S+) ([0-9]{1,5}) typ \S+(?: (?!rport )\S+ \S+| rport [0-9]{1,5})*",
    re.IGNORECASE,
)


class NotAFragment(Exception):
    """The text is not an SDP fragment."""


@frozen
class Fragment:
    """One SDP fragment.

    :ivar ufrag: the peer's ICE user name; a new one asks for an ICE restart.
    :ivar candidates: pairs: the ``mid`` of a media section, the text after ``a=candidate:``.
    """

    ufrag: str
    candidates: tuple[tuple[str, str], ...]


def parse_fragment(text: str) -> Fragment:
    """The fragment in *text*; an end-of-candidates in it is ignored.

    :raises NotAFragment: a line is no SDP line, there is no ufrag or password, a candidate stands
        outside of a media section, or there are more than :data:`MAX_CANDIDATES`.
    """
    credentials = {"a=ice-ufrag:": "", "a=ice-pwd:": ""}
    candidates: list[tuple[str, str]] = []
    mid = ""
    for line in text.splitlines():
        if line and line[1:2] != "=":
            raise NotAFragment("a line without a type, such as a=")
        for name in credentials:
            if line.startswith(name):
                credentials[name] = line.removeprefix(name)
        if line.startswith("a=mid:"):
            mid = line.removeprefix("a=mid:")
        elif line.startswith(_CANDIDATE):
            candidates.append((mid, line.removeprefix(_CANDIDATE)))
    if not all(credentials.values()):
        raise NotAFragment("expected a=ice-ufrag and a=ice-pwd")
    if any(not owner for owner, _ in candidates):
        raise NotAFragment("expected a=mid before each candidate")
    if len(candidates) > MAX_CANDIDATES:
        raise NotAFragment(f"more than {MAX_CANDIDATES} candidates")
    return Fragment(credentials["a=ice-ufrag:"], tuple(candidates))


def is_reachable(candidate: str) -> bool:
    """Whether this endpoint may send to *candidate*: RTP over UDP to a loopback address.

    A host name is refused as well: ``.local`` would be looked up on the local network (mDNS).
    """
    match = _USABLE.fullmatch(candidate)
    if match is None or not 0 < int(match[2]) < 65536:
        return False
    try:
        return ip_address(match[1]).is_loopback
    except ValueError:
        return False


def reachable_offer(offer: str) -> str:
    """*offer* without the candidates that are not reachable, and without end-of-candidates.

    Connectivity checks that come in are answered wherever they come from. aiortc would take an end
    without any candidate for a failure, before the first check has come in.
    """
    kept = [
        line
        for line in offer.splitlines()
        if line != _END
        and not (line.startswith(_CANDIDATE) and not is_reachable(line.removeprefix(_CANDIDATE)))
    ]
    return "\r\n".join(kept) + "\r\n"


def ufrags(description: str) -> set[str]:
    """The ICE user names in an offer or answer."""
    name = "a=ice-ufrag:"
    lines = description.splitlines()
    return {line.removeprefix(name) for line in lines if line.startswith(name)}
