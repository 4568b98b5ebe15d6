"""Readers of event streams that belong to no vendor: where a stream breaks off, they go on."""

from __future__ import annotations

from ..browser.support import until
from .support import KEY, Call, Client, PageClientTestCase, Reply


class _Stream:
    """Two connections: the first ends after event 7, the other begins behind the last that came."""

    provider = ""
    route = {
        "provider": None,
        "key": None,
        "methods": ["GET"],
        "authorize": "anyone",
        "forward_headers": {"X-Vendor-Key": KEY},
    }

    def answer(self, call: Call) -> Reply:
        if not self.key_came(call, "x-vendor-key"):
            return Reply(401, {"message": "no key"})
        if "text/event-stream" not in call.headers.get("accept", ""):
            return Reply(406, {"message": "An event stream is all there is"})
        if call.query == "refused":
            return Reply(403, {"message": "not this one"})
        last = call.headers.get("last-event-id")
        if last is None:
            return Reply(events=[b"retry: 10\nid: 7\ndata: seven\n\n"])
        return Reply(events=[f"id: 8\ndata: after {last}\n\n".encode()], hold=True)

    async def goes_on(self, script: str) -> None:
        """*script* puts each event's text into ``told``, and closes its stream at ``stop()``."""
        await self.start()
        await self.script(f"window.told = [];{script}")
        await self.browse(lambda page: page.wait_for_function("told.length == 2"))
        self.assertEqual(await self.script("return told"), ["seven", "after 7"])
        self.assertEqual(len(self.vendor.calls), 2)
        await self.script("stop()")
        await until(lambda: self.vendor.aborts == 1)


class EventSourceTests(_Stream, PageClientTestCase):
    """What the browser has itself."""

    client = Client("EventSource", "", in_page=True)
    module = ""

    async def test_resume(self):
        await self.goes_on(
            """const source = new EventSource(base);
               window.stop = () => source.close();
               source.onmessage = (event) => told.push(event.data);"""
        )

    async def test_error(self):
        await self.start()
        self.expect_console("status of 403")
        state = await self.script(
            """const source = new EventSource(base + "?refused");
               await new Promise((done) => { source.onerror = done; });
               return source.readyState"""
        )
        self.assertEqual(state, 2)  # closed for good, as the standard has it


class EventsourcePackageTests(_Stream, PageClientTestCase):
    client = Client("eventsource", "npm", in_page=True)
    module = 'import { EventSource } from "eventsource"; window.Source = EventSource;'

    async def test_resume(self):
        await self.goes_on(
            """const source = new Source(base);
               window.stop = () => source.close();
               source.onmessage = (event) => told.push(event.data);"""
        )

    async def test_error(self):
        await self.start()
        self.expect_console("status of 403")
        code = await self.script(
            """const source = new Source(base + "?refused");
               const failed = new Promise((done) => { source.onerror = done; });
               return (await failed).code"""
        )
        self.assertEqual(code, 403)


class FetchEventSourceTests(_Stream, PageClientTestCase):
    """It takes headers, so it can say who asks."""

    client = Client("@microsoft/fetch-event-source", "npm", in_page=True)
    route = {**_Stream.route, "authorize": "user"}
    module = """
import { fetchEventSource } from "@microsoft/fetch-event-source";
window.listen = fetchEventSource;
"""

    async def test_resume(self):
        await self.goes_on(
            """const abort = new AbortController();
               window.stop = () => abort.abort();
               const headers = { Authorization: `Bearer ${token}` };
               listen(base, {
                 headers, signal: abort.signal,
                 onmessage: ({ data }) => { if (data) told.push(data) },
                 onclose: () => { throw new Error("again") }, onerror: () => 10,
               });"""
        )

    async def test_token(self):
        await self.start()
        self.expect_console("status of 401")
        status = await self.script(
            """return await new Promise((done) => listen(base, {
                 headers: { Authorization: "Bearer other" },
                 onopen: async ({ status }) => { done(status); throw new Error() },
                 onerror: (error) => { throw error },
               }).catch(() => 0))"""
        )
        self.assertEqual((status, self.vendor.calls), (401, []))
