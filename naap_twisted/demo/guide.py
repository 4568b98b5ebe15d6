"""The commands that the demo prints once it is up, to be pasted into a shell. Pure."""

from __future__ import annotations

import json
import shlex

from attrs import frozen

ORIGIN = "http://localhost:3000"
CHAT_PATH = "/assistant/openai-proxy"
WHIP_PATH = "/daydream/whip-proxy"
PINNED_PATH = "/openai"
GUEST_PATH = "/guest-chat"
PINNED_WHIP_PATH = "/whip"
# The shortest offer that every upstream answers; a browser's has a hundred lines.
OFFER = (
    "v=0",
    "o=- 1 1 IN IP4 127.0.0.1",
    "s=-",
    "t=0 0",
    "m=audio 9 UDP/TLS/RTP/SAVPF 111",
    "c=IN IP4 0.0.0.0",
    "a=ice-ufrag:demo",
    "a=ice-pwd:demo-has-no-media-behind",
    "a=fingerprint:sha-256 " + ":".join(["00"] * 32),
    "a=setup:actpass",
    "a=rtcp-mux",
    "a=mid:0",
    "a=sendonly",
    "a=rtpmap:111 opus/48000/2",
)


@frozen
class Guide:
    """Commands for one running demo.

    :ivar root: scheme and authority of the proxy.
    :ivar api: *root* with the base path.
    :ivar chat_url: the upstream's chat URL, as X-Target-URL names it.
    :ivar whip_url: the upstream's WHIP URL, as X-WHIP-URL names it.
    """

    root: str
    api: str
    chat_url: str
    whip_url: str

    def chat(self, stream: bool = False) -> str:
        """A chat request; *stream* asks for the answer word by word."""
        messages = [{"role": "user", "content": "Hello, who are you?"}]
        document: dict[str, object] = {"model": "demo-chat", "messages": messages}
        if stream:
            document["stream"] = True
        return _curl(
            "-sSN" if stream else "-sS",
            self.api + CHAT_PATH,
            "-H Content-Type: application/json",
            f"-H X-Target-URL: {self.chat_url}",
            f"-d {json.dumps(document)}",
        )

    def whip(self) -> str:
        """An SDP offer; ``-i`` shows 201 and X-WHIP-Resource."""
        # printf writes the CRLFs that SDP has (RFC 8866 section 5) in every shell.
        offer = "".join(rf"{line}\r\n" for line in OFFER)
        command = _curl(
            "-sSi",
            self.api + WHIP_PATH,
            "-H Content-Type: application/sdp",
            f"-H X-WHIP-URL: {self.whip_url}",
            "--data-binary @-",
        )
        return f"printf {shlex.quote(offer)} |\n  {command}"

    def preflight(self) -> str:
        """What a browser asks first when a page of another origin calls the proxy."""
        return _curl(
            "-sSi",
            self.api + CHAT_PATH,
            "-X OPTIONS",
            f"-H Origin: {ORIGIN}",
            "-H Access-Control-Request-Method: POST",
            "-H Access-Control-Request-Headers: X-Target-URL",
        )

    def health(self) -> str:
        """The health check."""
        return _curl("-sS", self.root + "/healthz")

    def python(self) -> str:
        """A program that calls the pinned route by the official client."""
        return (
            "from openai import OpenAI\n"
            f'client = OpenAI(base_url="{self.api}{PINNED_PATH}", api_key="not-needed")\n'
            'question = [{"role": "user", "content": "Hello?"}]\n'
            'answer = client.chat.completions.create(model="demo-chat", messages=question)\n'
            "print(answer.choices[0].message.content)"
        )

    def text(self) -> str:
        """Every command under a line that says what it is for; ends in a newline."""
        parts = [
            f"The demo is up. Open {self.root}/ in a browser, or paste one of these.",
            "# A chat answer, through the proxy:\n" + self.chat(),
            "# The same, streamed word by word:\n" + self.chat(stream=True),
            "# A WebRTC (WHIP) offer; see X-WHIP-Resource in the answer:\n" + self.whip(),
            "# What a browser asks before it sends X-Target-URL:\n" + self.preflight(),
            "# Health:\n" + self.health(),
            "# Python, with the official client (pip install openai):\n" + self.python(),
        ]
        return "\n" + "\n\n".join(parts) + "\n\n"


def _curl(flags: str, url: str, *arguments: str) -> str:
    """A curl command, one of *arguments* a line: an option, a space and its value, unquoted."""
    pairs = (argument.split(" ", 1) for argument in arguments)
    options = [f"{option} {shlex.quote(value)}" for option, value in pairs]
    return " \\\n  ".join([f"curl {flags} {shlex.quote(url)}", *options])
