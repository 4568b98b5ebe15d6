"""Tests of naap_twisted.spend.extra_event."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.spend.extra_event import MOST_HELD, ExtraEventFilter

TEXT = b'data: {"choices": [{"delta": {"content": "Hi"}}], "usage": null}\n\n'
EXTRA = b'data: {"choices": [], "usage": {"prompt_tokens": 3}}\n\n'
DONE = b"data: [DONE]\n\n"


def passed(stream: bytes, *cuts: int) -> bytes:
    events, at = ExtraEventFilter(), 0
    out = b""
    for cut in (*cuts, len(stream)):
        out += events.feed(stream[at:cut])
        at = cut
    return out + events.end()


class ExtraEventTests(SynchronousTestCase):
    def test_taken_out(self) -> None:
        """Cut in two or three anywhere, with line ends of any kind; the rest byte for byte."""
        for end in (b"\n", b"\r\n", b"\r"):
            stream = (TEXT + b": comment\n\n" + EXTRA + DONE).replace(b"\n", end)
            wanted = (TEXT + b": comment\n\n" + DONE).replace(b"\n", end)
            for cut in range(len(stream) + 1):
                self.assertEqual(passed(stream, cut), wanted, (end, cut))
                self.assertEqual(passed(stream, cut, min(cut + 1, len(stream))), wanted, cut)
            self.assertEqual(passed(stream, *range(len(stream))), wanted)

    def test_left_in(self) -> None:
        """Every other event: of no choices but without usage, too, as Azure's first one."""
        for event in (
            b'data: {"choices": [], "prompt_filter_results": []}\n\n',
            b'data: {"choices": [], "usage": null}\n\n',
            b'data: {"choices": [{"text": "\\"choices\\": []"}], "usage": {}}\n\n',
            b'data: {"choices": [], "usage": {}\n\n',
            b'data: [{"choices": [], "usage": {}}]\n\n',
            b'event: "choices": []\n\n',
            b"\n\n\n\n",
        ):
            for cut in range(len(event)):
                self.assertEqual(passed(event + TEXT, cut), event + TEXT)

    def test_over_several_lines(self) -> None:
        """The data of an event is one text."""
        lines = json.dumps({"choices": [], "usage": {}}, indent=1).splitlines()
        event = "id: 1\n" + "".join(f"data: {line}\n" for line in lines) + "\n"
        self.assertEqual(passed(TEXT + event.encode() + DONE), TEXT + DONE)

    def test_nothing_waits(self) -> None:
        """An event goes on when its end is there."""
        events = ExtraEventFilter()
        self.assertEqual(events.feed(TEXT[:9]), b"")
        self.assertEqual(events.feed(TEXT[9:]), TEXT)

    def test_breaks_off(self) -> None:
        """The begun event passes, unless it is that one."""
        self.assertEqual(passed(TEXT + b"data: {"), TEXT + b"data: {")
        self.assertEqual(passed(TEXT + EXTRA[:-1]), TEXT)

    def test_a_long_event(self) -> None:
        """It passes as it comes, and the one behind it is looked at again."""
        event = b'data: {"choices": [], "usage": {"x": "' + b"x" * MOST_HELD + b'"}}\r\n\r\n'
        events, out = ExtraEventFilter(), b""
        stream = event + EXTRA + DONE
        for at in range(0, len(stream), 1000):
            out += events.feed(stream[at : at + 1000])
            self.assertLess(len(events._held), MOST_HELD + 1)
        self.assertEqual(out + events.end(), event + DONE)
