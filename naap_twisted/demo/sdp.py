"""A plausible SDP answer to an SDP offer. Pure; no media is ever received.

Sources: RFC 8866 (lines), RFC 3264 (answer mirrors the offer's m-lines), RFC 8842 (setup).
"""

from __future__ import annotations

import secrets

# The lines that the answer repeats: it accepts the offer's codecs and identifiers as they are.
_REPEATED = (
    "a=mid:",
    "a=rtpmap:",
    "a=fmtp:",
    "a=rtcp-fb:",
    "a=extmap:",
    "a=rtcp-mux",
    "a=rtcp-rsize",
)
_DIRECTIONS = {
    "a=sendonly": "a=recvonly",
    "a=sendrecv": "a=recvonly",
    "a=recvonly": "a=inactive",
    "a=inactive": "a=inactive",
}


class NotAnOffer(Exception):
    """The text is not an SDP offer."""


def _sections(offer: str) -> tuple[list[str], list[list[str]]]:
    """The session's lines, and those of each media section, its ``m=`` line first."""
    session: list[str] = []
    media: list[list[str]] = []
    for line in offer.splitlines():
        if line.startswith("m="):
            media.append([])
        (media[-1] if media else session).append(line)
    return session, media


def _answer_media(lines: list[str], transport: list[str]) -> list[str]:
    answer = [lines[0], "c=IN IP4 127.0.0.1", *transport]
    direction = "a=recvonly"
    for line in lines[1:]:
        direction = _DIRECTIONS.get(line, direction)
        if line.startswith(_REPEATED):
            answer.append(line)
    return [*answer, direction]


def answer_to(offer: str) -> str:
    """The answer to *offer*: the same m-lines, a new ICE and DTLS identity; lines end in CRLF.

    :raises NotAnOffer: *offer* does not open with ``v=0``, or has no m-line.
    """
    session, media = _sections(offer)
    if not session or session[0] != "v=0" or not media:
        raise NotAnOffer("expected an SDP offer: v=0 first, then at least one m= line")
    fingerprint = ":".join(f"{byte:02X}" for byte in secrets.token_bytes(32))
    # An offer of "active" leaves the passive role to the answerer (RFC 8842 section 5.3).
    setup = "passive" if "a=setup:active" in offer.splitlines() else "active"
    transport = [
        f"a=ice-ufrag:{secrets.token_hex(4)}",
        f"a=ice-pwd:{secrets.token_hex(12)}",
        f"a=fingerprint:sha-256 {fingerprint}",
        f"a=setup:{setup}",
    ]
    answer = [
        "v=0",
        f"o=naap-demo {secrets.randbelow(2**62)} 1 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=ice-lite",
        *(line for line in session if line.startswith("a=group:")),
        *(line for section in media for line in _answer_media(section, transport)),
    ]
    return "\r\n".join(answer) + "\r\n"
