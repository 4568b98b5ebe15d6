"""Commands of a shell against Deepgram's API: audio up and down, errors, retries."""

from __future__ import annotations

import json
from pathlib import Path
from shutil import which

from twisted.internet.utils import getProcessOutputAndValue

from ..browser.support import lacks, until
from .support import TOKEN, Client, ProviderStage
from .test_deepgram import PROJECTS, SPEECH, WAVE, DeepgramApi


class _Command(DeepgramApi):
    def setUp(self) -> None:
        if which(self.client.package) is None:
            lacks(f"{self.client.package} is missing: apt-get install {self.client.package}")
        super().setUp()
        self.begin()
        self.wave = Path(self.mktemp())
        self.wave.write_bytes(WAVE)

    async def run_command(self, path: str, *options: str, token: str = TOKEN) -> tuple[bytes, int]:
        """What it wrote, and its exit code."""
        command = [*self.usual, "--header", f"Authorization: Token {token}", *options]
        program = which(self.client.package)
        # A proxy of the environment's is no part of the test.
        out, _, code = await getProcessOutputAndValue(program, [*command, self.base + path], env={})
        return out, code

    async def test_list(self) -> None:
        out, code = await self.run_command("/v1/projects")
        self.assertEqual((json.loads(out), code), (PROJECTS, 0))

    async def test_token(self) -> None:
        _, code = await self.run_command("/v1/projects", token="other")
        self.assertEqual((code, self.vendor.calls), (self.refused, []))


class CurlTests(_Command, ProviderStage):
    client = Client("curl", "Debian 12")
    usual = ("--silent", "--show-error", "--fail-with-body")
    refused = 22

    async def test_upload(self) -> None:
        """A megabyte waits for 100 Continue; of no declared length, it goes up in chunks."""
        octets = ("--header", "Content-Type: audio/wav")
        whole = ("--data-binary", f"@{self.wave.absolute()}")
        pieces = ("--request", "POST", "--header", "Transfer-Encoding: chunked")
        pieces += ("--upload-file", str(self.wave.absolute()))
        for options in (whole, pieces):
            path = "/v1/listen?model=nova-3"
            out, code = await self.run_command(path, *octets, *options)
            self.assertEqual(code, 0, out)
            self.assertEqual(json.loads(out)["metadata"]["request_id"], "req-1")
            self.assertEqual(self.vendor.calls[-1].headers["content-type"], "audio/wav")

    async def spoken(self, text: str, *options: str) -> tuple[bytes, int]:
        kind = ("--header", "Content-Type: application/json")
        body = ("--data", json.dumps({"text": text}))
        return await self.run_command("/v1/speak", *kind, *body, *options)

    async def test_speech(self) -> None:
        self.assertEqual(await self.spoken("Hello"), (b"".join(SPEECH), 0))

    async def test_error(self) -> None:
        """The vendor's own words, and curl's own code."""
        out, code = await self.spoken("")
        self.assertEqual((json.loads(out)["err_code"], code), ("PAYLOAD_ERROR", 22))

    async def test_retry(self) -> None:
        """It waits as the vendor's Retry-After says."""
        path = "/v1/listen?model=busy"
        options = ("--data", "x", "--header", "Content-Type: audio/wav", "--retry", "1")
        _, code = await self.run_command(path, *options)
        self.assertEqual((len(self.vendor.calls), code), (2, 22))

    async def test_cancel(self) -> None:
        """Its limit of time ends the upstream's work, too."""
        _, code = await self.spoken("endless", "--max-time", "1")
        self.assertEqual(code, 28)
        await until(lambda: self.vendor.aborts == 1)


class WgetTests(_Command, ProviderStage):
    client = Client("wget", "Debian 12")
    usual = ("--quiet", "--output-document=-", "--tries=1", "--content-on-error")
    refused = 6

    async def test_upload(self) -> None:
        kind, body = "--header=Content-Type: audio/wav", f"--post-file={self.wave.absolute()}"
        out, code = await self.run_command("/v1/listen?model=nova-3", kind, body)
        self.assertEqual((json.loads(out)["metadata"]["request_id"], code), ("req-1", 0))

    async def spoken(self, text: str) -> tuple[bytes, int]:
        body = json.dumps({"text": text})
        options = ("--header=Content-Type: application/json", f"--post-data={body}")
        return await self.run_command("/v1/speak", *options)

    async def test_speech(self) -> None:
        self.assertEqual(await self.spoken("Hello"), (b"".join(SPEECH), 0))

    async def test_error(self) -> None:
        out, code = await self.spoken("")
        self.assertEqual((json.loads(out)["err_code"], code), ("PAYLOAD_ERROR", 8))
