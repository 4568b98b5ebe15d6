"""One peer connection on asyncio, from its offer to its end: a publisher's or a viewer's."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Coroutine
from typing import Any

from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.contrib.media import MediaRelay
from aiortc.mediastreams import MediaStreamError
from aiortc.sdp import candidate_from_sdp

from .fragment import Fragment, is_reachable, reachable_offer, ufrags
from .loopback import all_on_loopback

#: Seconds without a frame, from the answer on, after which a session ends by itself.
IDLE = 15.0
#: Seconds that a session outlives its connection: clients close that first, and DELETE afterwards.
GRACE = 1.0
#: Media descriptions in an offer; each costs a transport.
MAX_MEDIA = 16
Ended = Callable[["Session", str], None]


class BadOffer(Exception):
    """An offer that can't be answered."""


class RestartRefused(Exception):
    """The peer has a new ICE user name; aiortc can't restart ICE."""


class Session:
    """The session that one offer opened; a subclass gives it tracks.

    :param number: its name for people, which does not tell its URL.
    :param ended: called once, with the session and the reason, at its end.
    :ivar etag: the entity-tag of its ICE session, quotes included; it never changes, since ICE is
        not restarted. Empty for a session without one.
    """

    def __init__(self, number: int, ended: Ended) -> None:
        self.number = number
        self.etag = ""
        self._ended = ended
        self._over = False
        self._ufrags: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        # An empty list, for the default is a STUN server on the Internet.
        self._peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._peer.on("connectionstatechange", self._changed)
        self._opened = asyncio.get_running_loop().time()

    @property
    def state(self) -> str:
        """The peer connection's: ``new``, ``connecting``, ``connected``, ``failed``, ``closed``."""
        return str(self._peer.connectionState)

    @property
    def age(self) -> float:
        """Seconds since the offer."""
        return asyncio.get_running_loop().time() - self._opened

    async def answer(self, offer: str) -> str:
        """The SDP answer, with every candidate of this side in it.

        :raises BadOffer: *offer* is malformed, or has no media for this session.
        """
        if offer.count("\nm=") > MAX_MEDIA:
            raise BadOffer(f"not an offer for here: more than {MAX_MEDIA} media")
        remote = RTCSessionDescription(reachable_offer(offer), "offer")
        try:
            await self._peer.setRemoteDescription(remote)
        except Exception as error:  # aiortc's parser asserts, indexes and looks up
            raise BadOffer(f"not an offer: {error or type(error).__name__}") from None
        self._accept()
        await self._peer.setLocalDescription(await self._peer.createAnswer())
        answer = str(self._peer.localDescription.sdp)
        if not all_on_loopback(answer):
            raise RuntimeError("ICE is not on loopback only")
        self._ufrags = ufrags(offer)
        self._start(self._watch())
        return answer

    async def add(self, fragment: Fragment) -> None:
        """Take candidates; those out of reach are dropped, as RFC 9725 section 4.3.2 asks.

        :raises RestartRefused: *fragment* is of another ICE session.
        """
        if fragment.ufrag not in self._ufrags:
            raise RestartRefused("ICE restarts are not supported here")
        for mid, text in fragment.candidates:
            if is_reachable(text):
                candidate = candidate_from_sdp(text)
                candidate.sdpMid = mid
                await self._peer.addIceCandidate(candidate)

    async def close(self, reason: str) -> None:
        """End the session; a second call does nothing."""
        if self._over:
            return
        self._over = True
        current = asyncio.current_task()
        for task in self._tasks:
            if task is not current:
                task.cancel()
        await self._peer.close()
        self._ended(self, reason)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)  # The event loop keeps weak references only.
        task.add_done_callback(self._tasks.discard)

    def _changed(self) -> None:
        if self.state in ("failed", "closed"):
            self._start(self._close_soon(f"the connection {self.state}"))

    async def _close_soon(self, reason: str) -> None:
        await asyncio.sleep(GRACE)
        await self.close(reason)

    def count(self) -> str:
        """The session's result, for people to read."""
        raise NotImplementedError

    def _accept(self) -> None:
        raise NotImplementedError

    def _why_over(self) -> str:
        raise NotImplementedError

    async def _watch(self) -> None:
        while not (reason := self._why_over()):
            await asyncio.sleep(1)
        await self.close(reason)


class Publisher(Session):
    """Receives media and counts its frames.

    :ivar room: the last segment of the endpoint's URL, by which viewers find the publisher.
    :ivar frames: the number of video frames received and decoded.
    :ivar sounds: the number of audio frames received and decoded.
    """

    def __init__(self, room: str, number: int, ended: Ended) -> None:
        super().__init__(number, ended)
        self.room = room
        self.etag = f'"{secrets.token_hex(8)}"'
        self.frames = 0
        self.sounds = 0
        self._heard = self._opened
        self._relay = MediaRelay()
        self._tracks: list[MediaStreamTrack] = []

    def count(self) -> str:
        """The number of frames, for people to read."""
        return f"{self.frames} video frames received"

    def copies(self) -> list[MediaStreamTrack]:
        """Copies of its tracks for one viewer, who misses frames if he is slow."""
        return [self._relay.subscribe(track, buffered=False) for track in self._tracks]

    def _accept(self) -> None:
        self._tracks = [r.track for r in self._peer.getReceivers() if r.track]
        if not self._tracks:
            raise BadOffer("the offer sends neither audio nor video")
        for track in self._tracks:
            # Audio is received, too: aiortc keeps frames that nobody receives in memory.
            self._start(self._count(self._relay.subscribe(track)))

    async def _count(self, track: MediaStreamTrack) -> None:
        while True:
            try:
                await track.recv()
            except MediaStreamError:
                return
            self._heard = asyncio.get_running_loop().time()
            if track.kind == "video":
                self.frames += 1
            else:
                self.sounds += 1

    def _why_over(self) -> str:
        silent = asyncio.get_running_loop().time() - self._heard
        return f"no media for {IDLE:.0f} seconds" if silent >= IDLE else ""


class Viewer(Session):
    """Sends the tracks of an open *publisher* (WHEP); players do not use entity-tags."""

    def __init__(self, publisher: Publisher, number: int, ended: Ended) -> None:
        super().__init__(number, ended)
        self._copies = publisher.copies()
        self._publisher = publisher

    def count(self) -> str:
        """The publisher that it watched, for people to read."""
        return f"of session {self._publisher.number}"

    def _accept(self) -> None:
        wanted = {t.kind for t in self._peer.getTransceivers() if t.receiver.track is None}
        if not wanted & {track.kind for track in self._copies}:
            raise BadOffer("the offer receives none of what is published")
        for track in self._copies:
            if track.kind in wanted:
                self._peer.addTrack(track)

    def _why_over(self) -> str:
        if all(track.readyState == "ended" for track in self._copies):
            return "its publisher is gone"
        waiting = self.state != "connected" and self.age >= IDLE
        return "it did not connect" if waiting else ""
