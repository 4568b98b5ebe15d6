"""The access line in a text log."""

import io
import re

from twisted.logger import FileLogObserver, Logger, LogPublisher, textFileLogObserver
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.observe.log import json_observer
from naap_twisted.observe.text import AccessText, speed_up_text_logs


class AccessTextTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.usual, self.lean = io.StringIO(), io.StringIO()
        self.publisher = LogPublisher(textFileLogObserver(self.lean))
        speed_up_text_logs(self.publisher)
        self.publisher.addObserver(textFileLogObserver(self.usual))
        self.log = Logger("naap.access", observer=self.publisher)

    def same(self) -> str:
        self.assertEqual(self.lean.getvalue(), self.usual.getvalue())
        return self.lean.getvalue()

    def test_same_text(self) -> None:
        """Byte for byte what Twisted writes, for access lines and for everything else."""
        self.log.info("{line}", line='{"a":"{b}"}', exchange=object())
        self.log.warn("other {thing}", thing="{line}")
        self.log.info("{line}", line='{"a":2}', exchange=object())
        text = self.same()
        self.assertEqual(len(text.splitlines()), 3)
        self.assertRegex(text, re.compile(r'^\S+ \[naap.access#info\] \{"a":2\}$', re.MULTILINE))

    def test_failure(self) -> None:
        """Tracebacks too."""
        try:
            raise ValueError("x")
        except ValueError:
            self.log.failure("broke")
        self.assertIn("Traceback", self.same())

    def test_twice(self) -> None:
        """A second call wraps nothing again; other observers are left alone."""
        json = json_observer(io.StringIO())
        other = FileLogObserver(io.StringIO(), str)
        publisher = LogPublisher(json, other, textFileLogObserver(io.StringIO()))
        speed_up_text_logs(publisher)
        speed_up_text_logs(publisher)
        kinds = [isinstance(each.formatEvent, AccessText) for each in publisher._observers]
        self.assertEqual(kinds, [False, False, True])
        self.assertNotIsInstance(publisher._observers[-1].formatEvent._usual, AccessText)
