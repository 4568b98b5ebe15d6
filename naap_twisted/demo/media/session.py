"""One publisher: its peer connection, its frames, its end. asyncio, as aiortc is."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Coroutine
from typing import Any

from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError
from aiortc.sdp import candidate_from_sdp

from .fragment import Fragment, is_reachable, reachable_offer, ufrags
from .loopback import all_on_loopback

#: Seconds without a frame, from the answer on, after which a session ends by itself.
IDLE = 15.0
#: Seconds after a connection's end in which DELETE still finds its session: clients close first.
GRACE = 1.0


class BadOffer(Exception):
    """An offer that can't be answered."""


class RestartRefused(Exception):
    """The peer has a new ICE user name. aiortc can't restart ICE: its agents have one for life."""


class Session:
    """What one offer opened.

    :param number: what people call it; says nothing of its URL.
    :param ended: called once, with the reason, when it is over.
    :ivar frames: video frames received and decoded.
    :ivar sounds: audio frames, likewise.
    :ivar etag: the entity-tag of its ICE session, quotes included. There is one for its life,
        since there are no ICE restarts.
    """

    def __init__(self, number: int, ended: Callable[[Session, str], None]) -> None:
        self.number = number
        self.etag = f'"{secrets.token_hex(8)}"'
        self.frames = 0
        self.sounds = 0
        self._ended = ended
        self._over = False
        self._ufrags: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        # An empty list, for the default is a STUN server on the Internet.
        self._peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._peer.on("track", self._receive)
        self._peer.on("connectionstatechange", self._changed)
        self._opened = self._heard = asyncio.get_running_loop().time()

    @property
    def state(self) -> str:
        """The peer connection's: ``new``, ``connecting``, ``connected``, ``failed``, ``closed``."""
        return str(self._peer.connectionState)

    @property
    def age(self) -> float:
        """Seconds since the offer."""
        return asyncio.get_running_loop().time() - self._opened

    async def answer(self, offer: str) -> str:
        """The SDP answer, with every candidate of ours in it.

        :raises BadOffer: *offer* is malformed, or has no media that could be received.
        """
        remote = RTCSessionDescription(reachable_offer(offer), "offer")
        try:
            await self._peer.setRemoteDescription(remote)
        except Exception as error:  # aiortc's parser asserts, indexes and looks up
            raise BadOffer(f"not an offer: {error or type(error).__name__}") from None
        if not any(receiver.track for receiver in self._peer.getReceivers()):
            raise BadOffer("the offer sends neither audio nor video")
        await self._peer.setLocalDescription()
        answer = str(self._peer.localDescription.sdp)
        if not all_on_loopback(answer):
            raise RuntimeError("ICE is not on loopback only")
        self._ufrags = ufrags(offer)
        self._start(self._watch())
        return answer

    async def add(self, fragment: Fragment) -> None:
        """Take candidates; those that are out of reach are dropped, as RFC 9725 asks (4.3.2).

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
        """End it; a second call does nothing."""
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
        self._tasks.add(task)  # the loop keeps weak references only
        task.add_done_callback(self._tasks.discard)

    def _changed(self) -> None:
        if self.state in ("failed", "closed"):
            self._start(self._close_soon(f"the connection {self.state}"))

    async def _close_soon(self, reason: str) -> None:
        await asyncio.sleep(GRACE)
        await self.close(reason)

    def _receive(self, track: MediaStreamTrack) -> None:
        self._start(self._count(track))

    async def _count(self, track: MediaStreamTrack) -> None:
        # Audio is taken, too: what nobody takes is kept in memory.
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

    async def _watch(self) -> None:
        while asyncio.get_running_loop().time() - self._heard < IDLE:
            await asyncio.sleep(1)
        await self.close(f"no media for {IDLE:.0f} seconds")
