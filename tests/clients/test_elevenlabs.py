"""ElevenLabs' clients: the key in ``xi-api-key``, audio in a form, audio that streams down."""

from __future__ import annotations

from email import message_from_bytes

try:
    import elevenlabs
    from elevenlabs.core.api_error import ApiError
except ImportError:
    elevenlabs = None

from ..browser.support import until
from .support import TOKEN, Call, Client, PageClientTestCase, PythonClientTestCase, Reply

WAVE = b"RIFF" + bytes(range(256)) * 4096
SPEECH = [b"\xff\xfb" + bytes([number]) * 4000 for number in range(8)]
VOICES = {"voices": [{"voice_id": "v-1", "name": "Ada"}], "has_more": False, "total_count": 1}
TRANSCRIPT = {
    "language_code": "en",
    "language_probability": 0.9,
    "text": "hello ada",
    "words": [{"text": "hello", "type": "word", "start": 0.0, "end": 0.5, "logprob": -0.1}],
}


def said(status: int, code: str, message: str, **headers: str) -> Reply:
    return Reply(status, {"detail": {"status": code, "message": message}}, headers)


def form_of(call: Call) -> dict[str, bytes]:
    """The parts of a multipart form, by name."""
    head = f"Content-Type: {call.headers['content-type']}\r\n\r\n".encode()
    parts = message_from_bytes(head + call.body).get_payload()
    return {
        part.get_param("name", header="content-disposition"): part.get_payload(decode=True)
        for part in parts
    }


class _ElevenLabs:
    provider = "elevenlabs"

    def answer(self, call: Call) -> Reply:
        if not self.key_came(call, "xi-api-key"):
            return said(401, "invalid_api_key", "Invalid API key")
        route = (call.method, call.path)
        if route == ("GET", "/v2/voices"):
            return self.busy() if "search=busy" in call.query else Reply(200, VOICES)
        if route == ("POST", "/v1/speech-to-text"):
            return self.transcribe(call)
        if route == ("POST", "/v1/text-to-speech/v-1"):
            return self.speak(call)
        if route == ("DELETE", "/v1/voices/v-1"):
            return Reply(200, {"status": "ok"})
        return said(404, "voice_not_found", "A voice with this id was not found.")

    def transcribe(self, call: Call) -> Reply:
        form = form_of(call)
        if form.get("model_id") != b"scribe_v1":
            return self.invalid("model_id")
        if form.get("file") != WAVE:
            return said(400, "invalid_audio", "The file is corrupted.")
        return Reply(200, TRANSCRIPT)

    def speak(self, call: Call) -> Reply:
        text = call.json["text"]
        if not text:
            return self.invalid("text")
        if text == "busy":
            return self.busy()
        headers = {"Content-Type": "audio/mpeg", "character-cost": "5", "request-id": "r-1"}
        return Reply(200, headers=headers, events=SPEECH, hold=text == "endless")

    def busy(self) -> Reply:
        return said(429, "too_many_concurrent_requests", "Busy.", **{"retry-after": "1"})

    def invalid(self, member: str) -> Reply:
        flaw = {"loc": ["body", member], "msg": "field required", "type": "value_error.missing"}
        return Reply(422, {"detail": [flaw]})


class PythonTests(_ElevenLabs, PythonClientTestCase):
    client = Client("elevenlabs")

    def with_client(self, use, key=TOKEN):
        return lambda: use(elevenlabs.ElevenLabs(api_key=key, base_url=self.base))

    def speech(self, text="Hello"):
        return lambda made: b"".join(made.text_to_speech.convert("v-1", text=text))

    async def test_speech(self):
        spoken = await self.ask(self.with_client(self.speech()))
        self.assertEqual(spoken, b"".join(SPEECH))
        (call,) = self.vendor.calls
        self.assertEqual(call.headers["x-fern-language"], "Python")

    async def test_cost(self):
        """What a call cost stands in a header, which arrives."""

        def use(made):
            with made.text_to_speech.with_raw_response.convert("v-1", text="Hello") as answer:
                return answer.headers["character-cost"], answer.headers["request-id"]

        self.assertEqual(await self.ask(self.with_client(use)), ("5", "r-1"))

    async def test_upload(self):
        def use(made):
            upload = ("a.wav", WAVE, "audio/wav")
            return made.speech_to_text.convert(model_id="scribe_v1", file=upload).text

        self.assertEqual(await self.ask(self.with_client(use)), "hello ada")

    async def test_list(self):
        answer = await self.ask(self.with_client(lambda made: made.voices.search()))
        self.assertEqual([voice.voice_id for voice in answer.voices], ["v-1"])

    async def test_deletion(self):
        answer = await self.ask(self.with_client(lambda made: made.voices.delete("v-1")))
        self.assertEqual(answer.status, "ok")

    async def test_error(self):
        use = self.with_client(self.speech(""))
        error = await self.fails(elevenlabs.UnprocessableEntityError, use)
        self.assertEqual(error.body["detail"][0]["loc"], ["body", "text"])

    async def test_retry(self):
        """The client waits as the vendor's Retry-After says, and tries as often as it was told."""
        options = {"max_retries": 1}
        use = self.with_client(
            lambda made: made.voices.search(search="busy", request_options=options)
        )
        error = await self.fails(ApiError, use)
        self.assertEqual((error.status_code, error.headers["retry-after"]), (429, "1"))
        self.assertEqual(len(self.vendor.calls), 2)

    async def test_cancel(self):
        def use(made):
            audio = made.text_to_speech.convert("v-1", text="endless")
            next(audio)
            audio.close()

        await self.ask(self.with_client(use))
        await until(lambda: self.vendor.aborts == 1)

    async def test_token(self):
        """The client's key is the caller's token; another one is nobody's."""
        use = self.with_client(lambda made: made.voices.search(), key="other")
        error = await self.fails(ApiError, use)
        self.assertEqual((error.status_code, self.vendor.calls), (401, []))


class PageTests(_ElevenLabs, PageClientTestCase):
    """The package's own index needs modules of Node; a page imports its ``Client``."""

    client = Client("@elevenlabs/elevenlabs-js", "npm", in_page=True)
    module = """
import { ElevenLabsClient } from "@elevenlabs/elevenlabs-js/Client";
import * as errors from "@elevenlabs/elevenlabs-js/api/errors";
window.errors = errors;
window.made = (baseUrl, apiKey) => new ElevenLabsClient({ baseUrl, apiKey, maxRetries: 0 });
window.wave = () => {
  const bytes = new Uint8Array(4 + 256 * 4096);
  bytes.set([82, 73, 70, 70]);
  for (let at = 4; at < bytes.length; at++) bytes[at] = (at - 4) % 256;
  return new File([bytes], "a.wav", { type: "audio/wav" });
};
window.spoken = (base, token, text, options) =>
  made(base, token).textToSpeech.convert("v-1", { text }, options);
"""

    async def test_speech(self):
        await self.start()
        sizes = await self.script(
            """const audio = await spoken(base, token, "Hello").withRawResponse();
               const bytes = new Uint8Array(await new Response(audio.data).arrayBuffer());
               const cost = audio.rawResponse.headers.get("character-cost");
               return [bytes.length, bytes[0], bytes[bytes.length - 1], cost]"""
        )
        self.assertEqual(sizes, [sum(map(len, SPEECH)), 0xFF, len(SPEECH) - 1, "5"])

    async def test_upload(self):
        await self.start()
        text = await self.script(
            """const request = { modelId: "scribe_v1", file: wave() };
               return (await made(base, token).speechToText.convert(request)).text"""
        )
        self.assertEqual(text, "hello ada")

    async def test_list(self):
        await self.start()
        ids = await self.script(
            """const { voices } = await made(base, token).voices.search();
               return voices.map((voice) => voice.voiceId)"""
        )
        self.assertEqual(ids, ["v-1"])

    async def test_error(self):
        await self.start()
        self.expect_console("status of 422")
        error = await self.script(
            """try { await spoken(base, token, "") }
               catch (error) {
                 const typed = error instanceof errors.UnprocessableEntityError;
                 return [typed, error.statusCode, error.body.detail[0].loc];
               }"""
        )
        self.assertEqual(error, [True, 422, ["body", "text"]])

    async def test_retry(self):
        await self.start()
        self.expect_console("status of 429")
        await self.script('await spoken(base, token, "busy", { maxRetries: 1 }).catch(() => 0)')
        self.assertEqual(len(self.vendor.calls), 2)

    async def test_cancel(self):
        await self.start()
        await self.script(
            """const reader = (await spoken(base, token, "endless")).getReader();
               await reader.read();
               await reader.cancel();"""
        )
        await until(lambda: self.vendor.aborts == 1)
