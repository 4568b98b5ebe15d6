"""Secret files that are replaced, half written, emptied or opened to others under a live server."""

import os
from base64 import b64encode
from pathlib import Path

from twisted.logger import globalLogPublisher

from naap_twisted.credentials import secret_files
from naap_twisted.testing import ScriptedUpstream
from tests.integration.support import OK, IntegrationTestCase, response, until

OLD, NEW = "old-key-of-these-tests", "new-key-of-these-tests"


class SecretFileTests(IntegrationTestCase):
    def setUp(self):
        super().setUp()
        self.patch(secret_files, "PERIOD", 0.02)
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir(mode=0o700)
        self.file = self.directory / "key"
        self.write(self.file, OLD)
        self.lines = []
        globalLogPublisher.addObserver(self.log)
        self.addCleanup(globalLogPublisher.removeObserver, self.log)

    def log(self, event):
        if "all stays" in event.get("log_format", "") and "reason" in event:
            self.lines.append(event["reason"])

    def write(self, file, text, mode=0o600):
        """Put a whole file in the place of *file*."""
        beside = file.with_name("being-written")
        beside.write_text(text)
        beside.chmod(mode)
        beside.rename(file)

    def begin(self, *steps, **route):
        headers = {"Authorization": f"Bearer ${{file:{self.file}}}"}
        self.start(*(steps or (OK,)), **{"forward_headers": headers, **route})
        self.looks = 0
        looked = self.running.server.parts.state.secret_files._told

        def told(news):
            looked(news)
            self.looks += 1

        self.running.server.parts.state.secret_files._told = told

    async def looked(self, times=4):
        wanted = self.looks + times
        await until(lambda: self.looks >= wanted)

    async def sends(self):
        self.assertEqual((await self.post()).status, 200)
        return (
            self.upstream.requests[-1].values("Authorization")[0].decode().removeprefix("Bearer ")
        )

    async def assert_kept(self):
        """The old key goes on, and one line says why."""
        await self.looked(8)
        self.assertEqual(await self.sends(), OLD)
        self.assertEqual(len(self.lines), 1, self.lines)
        self.assertNotIn(NEW[:8], self.lines[0])
        self.assertRegex(self.lines[0], r"^[a-z/]")

    async def assert_mended(self):
        """A good file is taken, and the next bad one has a line of its own."""
        told = len(self.lines)
        beside = self.directory / "beside"
        self.write(beside, NEW + "\n")
        beside.rename(self.file)
        await self.looked()
        self.assertEqual(await self.sends(), NEW)
        self.write(self.file, "")
        await self.looked(6)
        self.assertEqual(await self.sends(), NEW)
        self.assertEqual(len(self.lines), told + 1)

    async def test_a_rename(self):
        self.begin()
        self.assertEqual(await self.sends(), OLD)
        await self.assert_mended()

    async def test_in_every_place(self):
        """In a pair, a query, the path of the target, the table of a host."""
        piece = f"${{file:{self.file}}}"
        value = f"Basic ${{basic:file:{self.file}:file:{self.file}}}"
        table = {"forward_headers": {"X-Key": piece}, "forward_query": {"key": piece}}
        self.begin(forward_headers={"Authorization": value}, hosts={"127.0.0.1": table})
        base = self.upstream.origin + f"/s/{piece}"
        keys = {"forward_headers": {"Authorization": value}, "forward_query": {"key": piece}}
        self.mount("/pin", target=base, methods=("POST",), **keys)
        for text in (OLD, NEW):
            self.write(self.file, text)
            await self.looked()
            self.assertEqual((await self.post()).status, 200)
            received = self.upstream.requests[-1]
            self.assertEqual(received.values("x-key"), [text.encode()])
            self.assertIn(f"key={text} ".encode(), received.line)
            self.assertEqual((await self.post(path="/api/v1/pin/x")).status, 200)
            received = self.upstream.requests[-1]
            self.assertIn(f"/s/{text}/x?key={text} ".encode(), received.line)
            pair = b64encode(f"{text}:{text}".encode())
            self.assertEqual(received.values("authorization"), [b"Basic " + pair])
        self.write(self.file, "no/segment")
        await self.looked()
        self.assertEqual((await self.post(path="/api/v1/pin/x")).status, 200)
        self.assertIn(f"/s/{NEW}/x".encode(), self.upstream.requests[-1].line)

    async def test_redirects_below_the_base(self):
        """A redirect is judged by the base with the secret of now, not by that of the start."""
        self.begin()
        target = self.upstream.origin + f"/s/${{file:{self.file}}}"
        self.mount("/pin", target=target, follow_redirects=True)
        for text in (OLD, NEW):
            self.write(self.file, text)
            await self.looked()
            self.upstream.steps = (response(307, b"", f"Location: /s/{text}/y"),)
            before = len(self.upstream.requests)
            await self.post(path="/api/v1/pin/x")
            lines = [request.line for request in self.upstream.requests[before:]]
            self.assertEqual(lines[1:], [f"POST /s/{text}/y HTTP/1.1".encode()] * 3)

    async def test_in_place(self):
        self.begin()
        self.file.write_text(NEW)
        await self.looked()
        self.assertEqual(await self.sends(), NEW)

    async def test_a_link_is_swapped(self):
        """As Kubernetes does: key -> ..data/key, ..data -> ..1, then ..data -> ..2."""
        for name, text in (("..1", OLD), ("..2", NEW)):
            (self.directory / name).mkdir(mode=0o700)
            self.write(self.directory / name / "key", text)
        os.symlink("..1", self.directory / "..data")
        self.file.unlink()
        os.symlink("..data/key", self.file)
        self.begin()
        self.assertEqual(await self.sends(), OLD)
        os.symlink("..2", self.directory / "..new")
        os.rename(self.directory / "..new", self.directory / "..data")
        await self.looked()
        self.assertEqual(await self.sends(), NEW)

    async def test_while_it_is_written(self):
        """A file that another look finds changed again is not taken: it may be half of a key."""
        self.begin()
        thread_look, texts = secret_files.look_at, iter(range(10**6))

        def restless(files):
            self.file.write_text(NEW[: next(texts) % 9 + 1])
            return thread_look(files)

        self.patch(secret_files, "look_at", restless)
        await self.looked(10)
        self.assertEqual(await self.sends(), OLD)
        self.patch(secret_files, "look_at", thread_look)
        self.write(self.file, NEW)
        await self.looked()
        self.assertEqual(await self.sends(), NEW)

    async def test_emptied(self):
        self.begin()
        self.write(self.file, "")
        await self.assert_kept()
        await self.assert_mended()

    async def test_gone(self):
        self.begin()
        self.file.unlink()
        await self.assert_kept()
        await self.assert_mended()

    async def test_open_to_others(self):
        self.begin()
        self.write(self.file, NEW, 0o644)
        await self.assert_kept()
        self.file.chmod(0o600)
        await self.looked()
        self.assertEqual(await self.sends(), NEW)

    async def test_no_key(self):
        """What a start refuses is refused now: control characters, quotes, another kind of file."""
        for text in ("two\nlines-of-key", "'quoted-key'", "$OPENAI_API_KEY", "k\u00e9y-of-letters"):
            with self.subTest(text=text):
                self.lines.clear()
                self.write(self.file, OLD)
                self.begin()
                self.write(self.file, text)
                await self.assert_kept()
                await self.running.server.stopService()

    async def test_a_directory(self):
        self.begin()
        self.file.unlink()
        self.file.mkdir()
        await self.assert_kept()

    async def test_both_are_guarded(self):
        """An upstream may repeat either: the answer to an earlier request is still on its way."""
        echo = response(403, f"{OLD} {NEW}".encode(), "Content-Type: text/plain")
        self.begin(echo)
        self.write(self.file, NEW)
        await self.looked()
        answer = await self.post()
        self.assertNotIn(OLD.encode(), answer.body)
        self.assertNotIn(NEW.encode(), answer.body)

    async def test_the_client_of_a_token(self):
        """A new client secret is used for the next token."""
        self.upstream = ScriptedUpstream(self, OK)
        token_url = ScriptedUpstream(self, response(200, b'{"access_token": "abcdefgh"}'))
        self.running = self.serve()
        proxy = self.running.server
        options = {
            "token_url": token_url.origin,
            "client_id": "me",
            "client_secret": f"${{file:{self.file}}}",
            "auth": "body",
        }
        self.mount("/x", forward_headers=None, oauth2=options)
        self.write(self.file, NEW)
        source = proxy.routes()[0].proxy._access.source
        await until(lambda: source.client.client_secret.reveal() == NEW.encode())
        self.assertEqual((await self.post()).status, 200)
        self.assertIn(NEW.encode(), token_url.requests[0].body)

    async def test_the_key_of_a_provider(self):
        """``key`` stands where its provider wants it, and is read again there."""
        self.begin(forward_headers=None, provider="anthropic", key=f"${{file:{self.file}}}")
        self.write(self.file, NEW)
        await self.looked()
        answer = await self.post()
        self.assertEqual(answer.status, 200)
        self.assertEqual(self.upstream.requests[-1].values("x-api-key"), [NEW.encode()])

    async def test_nothing_to_look_at(self):
        """A server without secret files has no timer for them."""
        self.start(OK)
        self.assertIs(self.running.server.parts.state.secret_files._call, None)
