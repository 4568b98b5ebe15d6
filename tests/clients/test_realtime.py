"""OpenAI's agents over WebRTC: SDP goes to an endpoint for calls, whose Location names the call."""

from __future__ import annotations

from naap_twisted.demo.sdp import answer_to

from .support import Call, Client, PageClientTestCase, Reply

#: The client wants a key of this form in a page; here it is the caller's token.
EPHEMERAL = "ek_token-of-ada-77"
CALL = "rtc_u1_9xVd2-aB"
SDK = "x-openai-agents-sdk"
KINDS = ("application/sdp", "multipart/form-data")


def said(status: int, code: str, message: str) -> Reply:
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
    return Reply(status, {"error": error})


class PageTests(PageClientTestCase):
    client = Client("@openai/agents-realtime", "npm", in_page=True)
    provider = "openai"
    base_path = "/v1"
    token = EPHEMERAL
    module = """
import { OpenAIRealtimeWebRTC } from "@openai/agents-realtime";
window.called = (baseUrl) => {
  const stream = new MediaStreamAudioDestinationNode(new AudioContext()).stream;
  return new OpenAIRealtimeWebRTC({ baseUrl, mediaStream: stream });
};
"""

    def answer(self, call: Call) -> Reply:
        if not self.key_came(call, "authorization"):
            return said(401, "invalid_api_key", "Incorrect API key provided")
        if (call.method, call.path) == ("POST", "/v1/realtime/calls"):
            kind = call.headers.get("content-type", "").partition(";")[0]
            if kind not in KINDS or not call.headers.get(SDK):
                return said(400, "invalid_content_type", "Unsupported content type")
            if "busy" in call.query:
                return said(429, "insufficient_quota", "You exceeded your current quota")
            headers = {
                "Content-Type": "application/sdp",
                "Location": f"/v1/realtime/calls/{CALL}",
            }
            offer = call.body.decode().partition("v=0")
            offer = (offer[1] + offer[2]).partition("\r\n--")[0]
            return Reply(201, headers=headers, body=answer_to(offer).encode())
        if (call.method, call.path) == ("POST", f"/v1/realtime/calls/{CALL}/hangup"):
            return Reply(200)
        return said(404, "unknown_url", "Unknown request URL")

    async def test_call(self) -> None:
        """The call's id is the one that the vendor gave, and the vendor knows it."""
        await self.start()
        got = await self.script(
            """const calls = `${base}/realtime/calls`, transport = called(calls);
               transport.connect({ apiKey: token, model: "gpt-realtime" }).catch(() => 0);
               while (!transport.callId) await new Promise((done) => setTimeout(done, 10));
               const id = transport.callId;
               const headers = { Authorization: `Bearer ${token}` };
               const end = await fetch(`${calls}/${id}/hangup`, { method: "POST", headers });
               transport.close();
               return [id, end.status];"""
        )
        self.assertEqual(got, [CALL, 200])
        offer = self.vendor.calls[0]
        self.assertTrue(offer.headers[SDK])
        self.assertTrue(offer.body.startswith(b"v=0\r\n"))

    async def test_session(self) -> None:
        """The server's own session goes up beside the offer, which the client sends alone."""
        await self.start(session={"type": "realtime", "model": "gpt-realtime"})
        got = await self.script(
            """const transport = called(`${base}/realtime/calls`);
               transport.connect({ apiKey: token, model: "gpt-realtime-mega" }).catch(() => 0);
               while (!transport.callId) await new Promise((done) => setTimeout(done, 10));
               const id = transport.callId;
               transport.close();
               return id;"""
        )
        self.assertEqual(got, CALL)
        self.assertIn(b'{"type":"realtime","model":"gpt-realtime"}', self.vendor.calls[0].body)

    async def test_error(self) -> None:
        """The vendor's own words reach the client's error."""
        await self.start()
        self.expect_console("status of 429")
        message = await self.script(
            """const transport = called(`${base}/realtime/calls?busy`);
               transport.on("error", () => 0);
               const asked = transport.connect({ apiKey: token, model: "gpt-realtime" });
               return await asked.catch((error) => error.message);"""
        )
        expected = "Realtime call request failed with status 429: You exceeded your current quota"
        self.assertEqual(message, expected)

    async def test_token(self) -> None:
        await self.start()
        self.expect_console("status of 401")
        message = await self.script(
            """const transport = called(`${base}/realtime/calls`);
               transport.on("error", () => 0);
               const asked = transport.connect({ apiKey: "ek_other", model: "gpt-realtime" });
               return await asked.catch((error) => error.message);"""
        )
        self.assertIn("status 401", message)
        self.assertEqual(self.vendor.calls, [])
