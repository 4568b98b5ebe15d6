"""A publisher for these tests: aiortc in a thread with a loop of its own."""

import asyncio
import os
from importlib.util import find_spec
from unittest import SkipTest

from twisted.internet.threads import deferToThread


def need_aiortc():
    """Skip without aiortc; fail where everything has to be there (CI)."""
    if find_spec("aiortc") is None:
        reason = "aiortc is not installed: pip install '.[webrtc]'"
        if os.environ.get("CI"):
            raise AssertionError(reason)
        raise SkipTest(reason)


def on_loopback(test):
    """ICE of this process on 127.0.0.1 until *test* ends."""
    from aioice import ice

    from naap_twisted.demo.media import loopback

    test.patch(ice, "get_host_addresses", ice.get_host_addresses)
    loopback.gather_only_loopback()


async def offering(*kinds):
    """A peer connection that sends *kinds*, and its offer with all its candidates."""
    from aiortc import AudioStreamTrack, RTCConfiguration, RTCPeerConnection, VideoStreamTrack

    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    for kind in kinds:
        peer.addTransceiver(
            VideoStreamTrack() if kind == "video" else AudioStreamTrack(), direction="sendonly"
        )
    await peer.setLocalDescription(await peer.createOffer())
    return peer, peer.localDescription.sdp


async def watching_offer():
    """A peer connection that receives video, and its offer."""
    from aiortc import RTCConfiguration, RTCPeerConnection

    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    peer.addTransceiver("video", direction="recvonly")
    await peer.setLocalDescription(await peer.createOffer())
    return peer, peer.localDescription.sdp


async def accept(peer, answer):
    """Apply *answer*."""
    from aiortc import RTCSessionDescription

    await peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))


async def eventually(condition, seconds=20):
    """Let the loop work until *condition* holds."""
    for _ in range(int(seconds / 0.02)):
        if condition():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("the condition never came true")


def in_thread(work, *arguments):
    """The Deferred of the coroutine function *work*'s result, run by a loop in a thread."""
    return deferToThread(lambda: asyncio.run(work(*arguments)))
