"""Sizes and durations as people write them."""

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.units import parse_duration, parse_size


class Sizes(SynchronousTestCase):
    def test_good(self):
        """Bytes, or text in powers of 1024 as the seed's ``bytes`` package reads it."""
        for value, expected in [
            (1, 1), (1048576, 1048576), ("1b", 1), ("500kb", 512000), ("1mb", 1048576),
            ("1MB", 1048576), (" 1 mb ", 1048576), ("1.5kb", 1536), ("2gb", 2 * 1024**3),
        ]:  # fmt: skip
            self.assertEqual(parse_size(value), expected, value)

    def test_bad(self):
        """Zero, negative, another type or unit: refused."""
        for value in (
            0, -1, True, 1.5, None, [], "", "0", "1", "0mb", "0.1b", "-1mb", "1 tb", "mb", "1m",
            "1mb1", "1e3kb", "\u0661mb", "1_0kb", b"1mb",
        ):  # fmt: skip
            self.assertRaises(ValueError, parse_size, value)


class Durations(SynchronousTestCase):
    def test_good(self):
        """Seconds, or text."""
        for value, expected in [
            (30, 30.0), (2.5, 2.5), ("500ms", 0.5), ("30s", 30.0), ("15m", 900.0), ("2h", 7200.0),
            ("1d", 86400.0), (" 1.5 s ", 1.5),
        ]:  # fmt: skip
            self.assertEqual(parse_duration(value), expected, value)

    def test_bad(self):
        """Zero, negative, endless, another type or unit: refused."""
        for value in (
            0, -1, 0.0, float("inf"), float("nan"), True, None, [], "", "0", "30", "0s", "-1s",
            "1 w", "s", "1S", "1s1", "1e3s", "inf", "\u0661s", b"1s",
        ):  # fmt: skip
            self.assertRaises(ValueError, parse_duration, value)
