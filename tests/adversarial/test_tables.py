"""The tables themselves."""

from itertools import chain

from twisted.trial.unittest import SynchronousTestCase

from . import addresses_vectors, headers_vectors, replies_vectors
from .config_vectors import CONFIGS
from .requests_vectors import FRAMING
from .targets_vectors import REMAINDERS, TARGETS
from .test_dns import ANSWERS

_HEADERS = (headers_vectors.DROPPED, headers_vectors.MEANINGS, headers_vectors.BODIES)
_REPLIES = (replies_vectors.HEADS, replies_vectors.BODIES, replies_vectors.DROPPED)


class TableTests(SynchronousTestCase):
    """A table that lost its rows would pass in silence."""

    def test_enough_vectors(self):
        """At least these many of each kind."""
        for least, rows in (
            (140, [*TARGETS, *REMAINDERS]),
            (90, [*addresses_vectors.V4, *addresses_vectors.V6, *addresses_vectors.LITERALS]),
            (45, ANSWERS),
            (140, FRAMING),
            (110, [*chain(*_HEADERS), *headers_vectors.PATHS]),
            (120, [*chain(*_REPLIES), *replies_vectors.REFLECTED]),
            (160, CONFIGS),
        ):
            self.assertGreaterEqual(len(rows), least, rows[0])

    def test_each_row_is_another(self):
        """No name stands twice in a table."""
        for rows in (TARGETS, REMAINDERS, ANSWERS, FRAMING, CONFIGS, *_HEADERS, *_REPLIES):
            names = [row.name for row in rows]
            self.assertEqual(len(names), len(set(names)), names)
