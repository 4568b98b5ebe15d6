"""Supabase's clients: the key twice, and the session of a user whom Supabase itself signed in."""

from __future__ import annotations

import asyncio
import base64
import json
import time

try:
    import postgrest
    import storage3
    import supabase
    import supabase_auth
except ImportError:
    supabase = None

from ..browser.support import until
from .support import KEY, TOKEN, Call, Client, PageClientTestCase, PythonClientTestCase, Reply

ROWS = [{"id": 1, "owner": "ada"}, {"id": 2, "owner": "bo"}]
_CLAIMS = {"sub": "bo", "exp": int(time.time()) + 3600, "role": "authenticated"}


def _jwt() -> str:
    parts = ({"alg": "HS256", "typ": "JWT"}, _CLAIMS)
    texts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts]
    return b".".join((*texts, b"c2lnbmF0dXJl")).decode()


#: What Supabase gives the user bo.
SESSION = _jwt()
BO = {
    "id": "7b0a6a4c-0f3b-4c1c-9f5e-0a8f5a3c1e11",
    "aud": "authenticated",
    "role": "authenticated",
    "email": "bo@example.com",
    "app_metadata": {},
    "user_metadata": {},
    "created_at": "2026-01-01T00:00:00Z",
}


class _Supabase:
    provider = "supabase"

    def answer(self, call: Call) -> Reply:
        self.assertNotIn(TOKEN, str(call.headers))
        if call.headers.get("apikey") != KEY:
            return Reply(401, {"message": "Invalid API key"})
        who = call.headers.get("authorization")
        if who not in (f"Bearer {KEY}", f"Bearer {SESSION}"):
            return Reply(401, {"message": "JWSError"})
        # Row-level security: a user gets what is theirs, the secret key everything.
        rows = ROWS if who == f"Bearer {KEY}" else ROWS[1:]
        service, _, rest = call.path.removeprefix("/").partition("/v1/")
        if service == "rest":
            return self.rest(call, rest, rows)
        if service == "auth":
            return self.auth(call, rest, who)
        return self.storage(call, rest)

    def rest(self, call: Call, name: str, rows: list) -> Reply:
        if name == "rpc/add":
            return Reply(200, sum(call.json.values()))
        if name == "slow":
            return Reply(events=[b"["], hold=True)
        if name != "notes":
            error = {"code": "PGRST205", "message": f"no table {name}", "details": None}
            return Reply(404, {**error, "hint": None})
        profile = "accept-profile" if call.method == "GET" else "content-profile"
        if call.headers.get(profile, "public") != "public":
            return Reply(406, {"code": "PGRST106", "message": "Invalid schema"})
        if call.method == "GET":
            if getattr(self, "faults", []):
                return Reply(self.faults.pop(0), {"code": "X", "message": "again"})
            counted = "count=exact" in call.headers.get("prefer", "")
            total = str(len(rows)) if counted else "*"
            return Reply(200, rows, {"Content-Range": f"0-{len(rows) - 1}/{total}"})
        if "return=representation" not in call.headers.get("prefer", ""):
            return Reply(201)
        made = call.json if isinstance(call.json, list) else [call.json]
        return Reply(201, made, {"Preference-Applied": "return=representation"})

    def auth(self, call: Call, name: str, who: str) -> Reply:
        if name == "token" and call.json.get("password") == "right":
            session = {"access_token": SESSION, "token_type": "bearer", "expires_in": 3600}
            return Reply(200, {**session, "refresh_token": "r", "user": BO})
        if name == "token":
            # The client reads the code where the answer's version says that there is one.
            version = {"X-Supabase-Api-Version": "2024-01-01"}
            error = {"code": "invalid_credentials", "message": "Invalid login"}
            return Reply(400, error, version)
        if name == "user" and who == f"Bearer {SESSION}":
            return Reply(200, BO)
        return Reply(403, {"code": "bad_jwt", "message": "invalid claim"})

    def storage(self, call: Call, name: str) -> Reply:
        if name.startswith("upload/resumable"):
            return self.piece(call, name)
        if name != "object/box/a.txt":
            error = {"statusCode": "404", "error": "not_found", "message": "Object not found"}
            return Reply(400, error)
        if call.method == "GET":
            return Reply(200, headers={"Content-Type": "text/plain"}, body=b"hello")
        if b"hello" not in call.body or "x-upsert" not in call.headers:
            return Reply(400, {"statusCode": "400", "error": "bad", "message": "No file"})
        return Reply(200, {"Id": "1", "Key": "box/a.txt"})

    def piece(self, call: Call, name: str) -> Reply:
        """An upload in pieces (tus): made by a POST, whose answer names where the pieces go."""
        spoken = {"Tus-Resumable": "1.0.0"}
        if call.headers.get("tus-resumable") != "1.0.0":
            return Reply(412, {"message": "Tus-Resumable is missing"}, spoken)
        if call.method == "POST" and "bucketName" in call.headers.get("upload-metadata", ""):
            self.pieces = b""
            at = f"http://127.0.0.1:{self.vendor_port}/storage/v1/upload/resumable/7"
            return Reply(201, None, {**spoken, "Location": at})
        offset = call.headers.get("upload-offset")
        if call.method != "PATCH" or name != "upload/resumable/7":
            return Reply(404, {"message": "No such upload"}, spoken)
        if offset != str(len(self.pieces)):
            return Reply(409, {"message": "Upload-Offset conflict"}, spoken)
        self.pieces += call.body
        return Reply(204, None, {**spoken, "Upload-Offset": str(len(self.pieces))})


class PythonTests(_Supabase, PythonClientTestCase):
    client = Client("supabase")

    def made(self, key=TOKEN):
        return supabase.create_client(self.base, key)

    async def test_select(self):
        def use():
            return self.made().table("notes").select("*", count="exact").execute()

        found = await self.ask(use)
        self.assertEqual((found.data, found.count), (ROWS, 2))

    async def test_cancel(self):
        """The asynchronous client: a call that is given up ends at the vendor, too."""

        async def work():
            made = await supabase.acreate_client(self.base, TOKEN)
            asked = asyncio.create_task(made.table("slow").select("*").execute())
            while not self.vendor.calls and not asked.done():
                await asyncio.sleep(0.01)
            asked.cancel()
            await asyncio.wait([asked])
            return asked.cancelled()

        self.assertTrue(await self.ask(lambda: asyncio.run(work())))
        await until(lambda: self.vendor.aborts == 1)

    async def test_insert(self):
        row = {"id": 3, "owner": "cy"}
        found = await self.ask(lambda: self.made().table("notes").insert(row).execute())
        self.assertEqual(found.data, [row])

    async def test_rpc(self):
        found = await self.ask(lambda: self.made().rpc("add", {"a": 2, "b": 3}).execute())
        self.assertEqual(found.data, 5)

    async def test_upload(self):
        def use():
            box = self.made().storage.from_("box")
            options = {"content-type": "text/plain", "upsert": "true"}
            return box.upload("a.txt", b"hello", options).path, box.download("a.txt")

        self.assertEqual(await self.ask(use), ("a.txt", b"hello"))

    async def test_sign_in(self):
        """A user of Supabase: what the session may see comes back, and no more."""

        def use():
            made = self.made()
            made.auth.sign_in_with_password({"email": "bo@example.com", "password": "right"})
            return made.auth.get_user().user.email, made.table("notes").select("*").execute().data

        self.assertEqual(await self.ask(use), ("bo@example.com", ROWS[1:]))

    async def test_sign_in_where_the_owner_passes_no_session(self):
        """The call would be made with all rights of the server's key, so it is refused."""
        self.begin(pass_headers=["!Authorization"])

        def use():
            made = self.made()
            made.auth.sign_in_with_password({"email": "bo@example.com", "password": "right"})
            made.table("notes").select("*").execute()

        await self.fails(postgrest.APIError, use)
        self.assertEqual([call.path for call in self.vendor.calls], ["/auth/v1/token"])

    async def test_error(self):
        use = self.made().table("nothing").select("*").execute
        error = await self.fails(postgrest.APIError, use)
        self.assertEqual((error.code, error.message), ("PGRST205", "no table nothing"))

    async def test_retry(self):
        self.faults = [503]
        await self.ask(self.made().table("notes").select("*").execute)
        self.assertEqual(len(self.vendor.calls), 2)

    async def test_token(self):
        use = self.made("other").table("notes").select("*").execute
        await self.fails(postgrest.APIError, use)
        self.assertEqual(self.vendor.calls, [])


class PostgrestTests(_Supabase, PythonClientTestCase):
    client = Client("postgrest")

    async def test_select(self):
        def use():
            headers = {"apikey": TOKEN}
            with postgrest.SyncPostgrestClient(f"{self.base}/rest/v1", headers=headers) as made:
                return made.from_("notes").select("*").execute().data

        self.assertEqual(await self.ask(use), ROWS)


class StorageTests(_Supabase, PythonClientTestCase):
    client = Client("storage3")

    async def test_upload(self):
        def use():
            headers = {"apikey": TOKEN, "Authorization": f"Bearer {TOKEN}"}
            made = storage3.create_client(f"{self.base}/storage/v1/", headers, is_async=False)
            box = made.from_("box")
            return box.upload("a.txt", b"hello").path, box.download("a.txt")

        self.assertEqual(await self.ask(use), ("a.txt", b"hello"))

    async def test_error(self):
        def use():
            headers = {"apikey": TOKEN}
            made = storage3.create_client(f"{self.base}/storage/v1/", headers, is_async=False)
            made.from_("box").download("b.txt")

        error = await self.fails(storage3.exceptions.StorageApiError, use)
        self.assertEqual(error.message, "Object not found")


class AuthTests(_Supabase, PythonClientTestCase):
    client = Client("supabase-auth")

    def sign_in(self, password):
        url, headers = f"{self.base}/auth/v1", {"apikey": TOKEN}
        with supabase_auth.SyncGoTrueClient(url=url, headers=headers) as made:
            made.sign_in_with_password({"email": "bo@example.com", "password": password})
            return made.get_user().user.email

    async def test_sign_in(self):
        self.assertEqual(await self.ask(lambda: self.sign_in("right")), "bo@example.com")

    async def test_error(self):
        error = await self.fails(supabase_auth.errors.AuthApiError, lambda: self.sign_in("wrong"))
        self.assertEqual(error.code, "invalid_credentials")


class PageTests(_Supabase, PageClientTestCase):
    client = Client("@supabase/supabase-js", "npm", in_page=True)
    module = """
import { createClient } from "@supabase/supabase-js";
const auth = { persistSession: false, autoRefreshToken: false };
window.made = (base, token) => createClient(base, token, { auth });
"""

    async def test_select(self):
        await self.start()
        found = await self.script(
            """const { data, count } =
                 await made(base, token).from("notes").select("*", { count: "exact" });
               return [data, count]"""
        )
        self.assertEqual(found, [ROWS, 2])

    async def test_cancel(self):
        await self.start()
        await self.script(
            """window.leaving = new AbortController();
               const asked = made(base, token).from("slow").select();
               window.asked = asked.abortSignal(leaving.signal).then((answer) => answer);"""
        )
        await until(lambda: self.vendor.calls)
        told = await self.script("leaving.abort(); return (await asked).error.message")
        self.assertIn("AbortError", told)
        await until(lambda: self.vendor.aborts == 1)

    async def test_insert(self):
        await self.start()
        row = {"id": 3, "owner": "cy"}
        found = await self.script(
            f"""return (await made(base, token).from("notes")
                  .insert({json.dumps(row)}).select()).data"""
        )
        self.assertEqual(found, [row])

    async def test_rpc(self):
        await self.start()
        found = await self.script(
            'return (await made(base, token).rpc("add", { a: 2, b: 3 })).data'
        )
        self.assertEqual(found, 5)

    async def test_upload(self):
        await self.start()
        found = await self.script(
            """const box = made(base, token).storage.from("box");
               const { data } = await box.upload("a.txt", new Blob(["hello"]), { upsert: true });
               return [data.path, await (await box.download("a.txt")).data.text()]"""
        )
        self.assertEqual(found, ["a.txt", "hello"])

    async def test_sign_in(self):
        await self.start()
        found = await self.script(
            """const client = made(base, token);
               const password = { email: "bo@example.com", password: "right" };
               await client.auth.signInWithPassword(password);
               const { email } = (await client.auth.getUser()).data.user;
               return [email, (await client.from("notes").select("*")).data]"""
        )
        self.assertEqual(found, ["bo@example.com", ROWS[1:]])

    async def test_error(self):
        await self.start()
        self.expect_console("status of 404", "status of 400")
        found = await self.script(
            """const client = made(base, token);
               const failed = await client.from("nothing").select("*");
               const password = { email: "bo@example.com", password: "wrong" };
               const refused = await client.auth.signInWithPassword(password);
               return [failed.error.code, refused.error.name, refused.error.code]"""
        )
        self.assertEqual(found, ["PGRST205", "AuthApiError", "invalid_credentials"])

    async def test_retry(self):
        await self.start()
        self.expect_console("status of 503")
        self.faults = [503]
        await self.script('await made(base, token).from("notes").select("*")')
        counts = [call.headers.get("x-retry-count") for call in self.vendor.calls]
        self.assertEqual(counts, [None, "1"])


class TusTests(_Supabase, PageClientTestCase):
    """Its upload in pieces goes on at the URL that an answer's Location names."""

    client = Client("tus-js-client", "npm", in_page=True)
    module = 'import * as tus from "tus-js-client"; window.tus = tus;'

    async def test_upload(self):
        await self.start()
        url = await self.script(
            """const upload = new tus.Upload(new Blob(["hello"]), {
                 endpoint: base + "/storage/v1/upload/resumable",
                 headers: { apikey: token, "x-upsert": "true" },
                 metadata: { bucketName: "box", objectName: "a.txt" },
                 chunkSize: 3,
                 storeFingerprintForResuming: false,
               });
               await new Promise((onSuccess, onError) => {
                 Object.assign(upload.options, { onSuccess, onError });
                 upload.start();
               });
               return upload.url"""
        )
        self.assertEqual(url, f"{self.base}/storage/v1/upload/resumable/7")
        self.assertEqual(self.pieces, b"hello")
