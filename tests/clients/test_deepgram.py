"""Deepgram's clients: ``Authorization: Token``, audio as the body itself, both ways."""

from __future__ import annotations

from urllib.parse import parse_qs

try:
    import deepgram
    from deepgram.core.api_error import ApiError
    from deepgram.environment import DeepgramClientEnvironment
except ImportError:
    deepgram = None

from ..browser.support import until
from .support import KEY, TOKEN, Call, Client, PageClientTestCase, PythonClientTestCase, Reply

WAVE = b"RIFF" + bytes(range(256)) * 4096
SPEECH = [b"\xff\xfb" + bytes([number]) * 4000 for number in range(8)]
TRANSCRIPT = {
    "metadata": {
        "request_id": "req-1",
        "sha256": "00",
        "created": "2026-01-01T00:00:00Z",
        "duration": 1.0,
        "channels": 1,
        "models": ["m"],
        "model_info": {"m": {"name": "nova-3", "version": "1", "arch": "nova-3"}},
    },
    "results": {
        "channels": [
            {"alternatives": [{"transcript": "hello ada", "confidence": 0.9, "words": []}]}
        ]
    },
}
PROJECTS = {"projects": [{"project_id": "p-1", "name": "first"}]}


def said(status: int, code: str, message: str, **headers: str) -> Reply:
    error = {"err_code": code, "err_msg": message, "request_id": "req-1"}
    return Reply(status, error, {"dg-request-id": "req-1", **headers})


class DeepgramApi:
    """The vendor: what it refuses, and what it answers."""

    provider = "deepgram"

    def answer(self, call: Call) -> Reply:
        if not self.key_came(call, "authorization", f"Token {KEY}"):
            return said(401, "INVALID_AUTH", "Invalid credentials.")
        route = (call.method, call.path)
        if route == ("GET", "/v1/projects"):
            return Reply(200, PROJECTS)
        if route == ("POST", "/v1/listen"):
            return self.listen(call)
        if route == ("POST", "/v1/speak"):
            return self.speak(call)
        return said(404, "NOT_FOUND", "No such path.")

    def listen(self, call: Call) -> Reply:
        model = parse_qs(call.query).get("model", [""])[0]
        if model == "busy":
            return said(429, "TOO_MANY_REQUESTS", "Too many requests.", **{"retry-after": "1"})
        if model != "nova-3":
            return said(400, "INVALID_QUERY_PARAMETER", "No such model/version combination found.")
        if call.body != WAVE:
            return said(400, "Bad Request", "failed to process audio: corrupt or unsupported data")
        return Reply(200, TRANSCRIPT, {"dg-request-id": "req-1"})

    def speak(self, call: Call) -> Reply:
        if call.headers["content-type"] != "application/json" or not call.json["text"]:
            return said(400, "PAYLOAD_ERROR", "Failed to parse the payload.")
        endless = call.json["text"] == "endless"
        headers = {"Content-Type": "audio/mpeg", "dg-char-count": "5", "dg-request-id": "req-1"}
        return Reply(200, headers=headers, events=SPEECH, hold=endless)


class PythonTests(DeepgramApi, PythonClientTestCase):
    client = Client("deepgram-sdk")

    def with_client(self, use, key=TOKEN, max_retries=0):
        def work():
            base = dict.fromkeys(("base", "production", "agent", "agent_rest"), self.base)
            place = DeepgramClientEnvironment(**base)
            return use(
                deepgram.DeepgramClient(api_key=key, environment=place, max_retries=max_retries)
            )

        return work

    def transcription(self, model="nova-3", audio=WAVE):
        return lambda made: made.listen.v1.media.transcribe_file(request=audio, model=model)

    async def test_transcription(self):
        answer = await self.ask(self.with_client(self.transcription()))
        self.assertEqual(answer.results.channels[0].alternatives[0].transcript, "hello ada")
        (call,) = self.vendor.calls
        self.assertIn("x-deepgram-session-id", call.headers)
        self.assertEqual(call.headers["x-fern-language"], "Python")

    async def test_upload(self):
        """Audio of no declared length, as a microphone gives it, streams up."""
        pieces = (WAVE[at : at + 10_000] for at in range(0, len(WAVE), 10_000))
        answer = await self.ask(self.with_client(self.transcription(audio=pieces)))
        self.assertEqual(answer.metadata.request_id, "req-1")

    async def test_speech(self):
        def use(made):
            return b"".join(made.speak.v1.audio.generate(text="Hello", model="aura-2-thalia-en"))

        self.assertEqual(await self.ask(self.with_client(use)), b"".join(SPEECH))

    async def test_list(self):
        answer = await self.ask(self.with_client(lambda made: made.manage.v1.projects.list()))
        self.assertEqual([project.project_id for project in answer.projects], ["p-1"])

    async def test_error(self):
        error = await self.fails(
            deepgram.BadRequestError, self.with_client(self.transcription("none"))
        )
        self.assertEqual(error.body["err_code"], "INVALID_QUERY_PARAMETER")
        self.assertEqual(error.headers["dg-request-id"], "req-1")

    async def test_retry(self):
        """The client waits as the vendor's Retry-After says, and tries as often as it was told."""
        use = self.with_client(self.transcription("busy"), max_retries=1)
        error = await self.fails(ApiError, use)
        self.assertEqual((error.status_code, error.headers["retry-after"]), (429, "1"))
        self.assertEqual(len(self.vendor.calls), 2)

    async def test_cancel(self):
        def use(made):
            audio = made.speak.v1.audio.generate(text="endless", model="aura-2-thalia-en")
            next(audio)
            audio.close()

        await self.ask(self.with_client(use))
        await until(lambda: self.vendor.aborts == 1)

    async def test_token(self):
        """The client's key is the caller's token; another one is nobody's."""
        use = self.with_client(lambda made: made.manage.v1.projects.list(), key="other")
        error = await self.fails(ApiError, use)
        self.assertEqual((error.status_code, self.vendor.calls), (401, []))

    async def test_access_token(self):
        """So is the token that it sends as ``bearer``, for one of the vendor's short-lived ones."""

        def use():
            place = DeepgramClientEnvironment(
                base=self.base, production="", agent="", agent_rest=""
            )
            made = deepgram.DeepgramClient(access_token=TOKEN, environment=place, max_retries=0)
            return made.manage.v1.projects.list().projects[0].name

        self.assertEqual(await self.ask(use), "first")


class PageTests(DeepgramApi, PageClientTestCase):
    client = Client("@deepgram/sdk", "npm", in_page=True)
    module = """
import * as deepgram from "@deepgram/sdk";
window.deepgram = deepgram;
window.made = (baseUrl, apiKey) =>
  new deepgram.DeepgramClient({ baseUrl, apiKey, maxRetries: 0 });
window.wave = () => {
  const bytes = new Uint8Array(4 + 256 * 4096);
  bytes.set([82, 73, 70, 70]);
  for (let at = 4; at < bytes.length; at++) bytes[at] = (at - 4) % 256;
  return new File([bytes], "a.wav", { type: "audio/wav" });
};
"""

    async def test_upload(self):
        """A file goes up with its own media type and name, past the preflight."""
        await self.start()
        text = await self.script(
            """const media = made(base, token).listen.v1.media;
               const answer = await media.transcribeFile(wave(), { model: "nova-3" });
               return answer.results.channels[0].alternatives[0].transcript"""
        )
        self.assertEqual(text, "hello ada")
        (call,) = self.vendor.calls
        self.assertEqual(call.headers["content-type"], "audio/wav")
        self.assertEqual(call.headers["content-disposition"], 'attachment; filename="a.wav"')
        self.assertIn("x-deepgram-session-id", call.headers)

    async def test_speech(self):
        await self.start()
        sizes = await self.script(
            """const audio = await made(base, token).speak.v1.audio.generate({ text: "Hello" });
               const bytes = new Uint8Array(await audio.arrayBuffer());
               return [bytes.length, bytes[0], bytes[bytes.length - 1]]"""
        )
        self.assertEqual(sizes, [sum(map(len, SPEECH)), 0xFF, len(SPEECH) - 1])

    async def test_list(self):
        await self.start()
        ids = await self.script(
            """const { projects } = await made(base, token).manage.v1.projects.list();
               return projects.map((project) => project.project_id)"""
        )
        self.assertEqual(ids, ["p-1"])

    async def test_error(self):
        await self.start()
        self.expect_console("status of 400")
        error = await self.script(
            """const media = made(base, token).listen.v1.media;
               try { await media.transcribeFile(wave(), { model: "none" }) }
               catch (error) {
                 const typed = error instanceof deepgram.Deepgram.BadRequestError;
                 const id = error.rawResponse.headers.get("dg-request-id");
                 return { typed, code: error.body.err_code, id };
               }"""
        )
        expected = {"typed": True, "code": "INVALID_QUERY_PARAMETER", "id": "req-1"}
        self.assertEqual(error, expected)

    async def test_retry(self):
        await self.start()
        self.expect_console("status of 429")
        await self.script(
            """const media = made(base, token).listen.v1.media;
               await media.transcribeFile(wave(), { model: "busy" }, { maxRetries: 1 })
                 .catch(() => 0)"""
        )
        self.assertEqual(len(self.vendor.calls), 2)

    async def test_cancel(self):
        await self.start()
        await self.script(
            """const audio = await made(base, token).speak.v1.audio.generate({ text: "endless" });
               const reader = audio.stream().getReader();
               await reader.read();
               await reader.cancel();"""
        )
        await until(lambda: self.vendor.aborts == 1)
