"""Bytes to the browser, and back-pressure from it."""

from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.downstream.outflow import Outflow


class Producer:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def pauseProducing(self) -> None:
        self.told.append("pause")

    def resumeProducing(self) -> None:
        self.told.append("resume")

    def stopProducing(self) -> None:
        self.told.append("stop")


class Transport(StringTransport):
    def setTcpNoDelay(self, enabled: bool) -> None:
        """As TCP has it."""


class Side(Outflow):
    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []

    def stalled(self) -> None:
        self.told.append("stalled")

    def flowing(self) -> None:
        self.told.append("flowing")


class OutflowTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.side = Side()
        self.transport = Transport()
        self.side.makeConnection(self.transport)
        self.producer = Producer()

    def test_held_head(self) -> None:
        """A head waits for its first piece of body, or for a flush."""
        self.side._unsent_head = b"head "
        self.assertEqual(self.transport.value(), b"")
        self.side.writeSequence([b"bo", b"dy"])
        self.assertEqual(self.transport.value(), b"head body")
        self.side._unsent_head = b" next"
        self.side.flush()
        self.side.flush()
        self.assertEqual(self.transport.value(), b"head body next")

    def test_pressure_reaches_the_producer(self) -> None:
        """And the connection itself, which times the stall."""
        self.side.registerProducer(self.producer, True)
        self.transport.producer.pauseProducing()
        self.transport.producer.resumeProducing()
        self.assertEqual(self.producer.told, ["pause", "resume"])
        self.assertEqual(self.side.told, ["stalled", "flowing"])

    def test_a_producer_that_comes_late(self) -> None:
        """Registered while the browser takes nothing, it begins paused."""
        self.side.pauseProducing()
        self.side.registerProducer(self.producer, True)
        self.assertEqual(self.producer.told, ["pause"])

    def test_pull_producer(self) -> None:
        """It talks to the transport itself, and the connection takes its place again after."""
        self.side.registerProducer(self.producer, False)
        self.assertIs(self.transport.producer, self.producer)
        self.assertFalse(self.transport.streaming)
        self.side.unregisterProducer()
        self.assertIs(self.transport.producer, self.side)
        self.assertTrue(self.transport.streaming)

    def test_one_at_a_time(self) -> None:
        """Two producers of one answer are a bug."""
        self.side.registerProducer(self.producer, True)
        self.assertRaises(RuntimeError, self.side.registerProducer, Producer(), True)

    def test_closed(self) -> None:
        """Nothing is told to a connection that is closed; its producer is stopped."""
        self.side.registerProducer(self.producer, True)
        self.side.closed = True
        self.side.pauseProducing()
        self.side.resumeProducing()
        self.side.stopProducing()
        self.assertEqual((self.side.told, self.producer.told), ([], ["stop"]))
