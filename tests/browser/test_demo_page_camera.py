"""The demo page's camera where there is no media, no permission or no session.

With media: ``tests/browser/media``.
"""

import json

from .demo_page import DemoPageCase, expect

REFUSE = """name => {
  navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("no", name));
}"""
ENDPOINT = "**/api/v1/daydream/whip-proxy"


class CameraTests(DemoPageCase):
    async def test_no_media(self):
        """A demo without the extra says what to install."""
        await self.begin("camera")

        def scenario(page):
            expect()(page.locator("#camera-missing")).to_be_visible()
            expect()(page.locator("#camera-view")).to_be_hidden()
            command = page.text_content("#camera-install")
            self.assertEqual(command, "pip install 'naap-twisted[webrtc]'")

        await self.browse(scenario)

    async def begin_with_view(self):
        """The view, as a demo with media shows it; nothing is received here."""
        await self.begin()

        def scenario(page):
            media = json.dumps({"media": True, "sessions": []})
            page.route("**/demo/media", lambda route: route.fulfill(body=media))
            page.click("#tab-camera")
            expect()(page.locator("#camera-start")).to_be_enabled()
            expect()(page.locator("#camera-stop")).to_be_disabled()

        await self.browse(scenario)

    async def test_no_permission(self):
        """Each way to have no camera is told in words that help, and Start works again."""
        await self.begin_with_view()

        def scenario(page):
            for name, code, words in [
                ("NotAllowedError", "CAMERA_DENIED", "Allow it in the site's settings"),
                ("NotFoundError", "NO_CAMERA", "There is no camera on this machine"),
                ("NotReadableError", "CAMERA_BUSY", "in use by another program"),
            ]:
                page.evaluate(REFUSE, name)
                page.click("#camera-start")
                expect()(page.locator("#camera-error-code")).to_have_text(f"code {code}")
                expect()(page.get_by_role("alert").filter(has_text=words)).to_be_visible()
                expect()(page.locator("#camera-start")).to_be_enabled()
                expect()(page.locator("#state-camera")).to_have_text("off")

        await self.browse(scenario)

    async def test_refused(self):
        """A refused offer is told with its code and request id; the camera is switched off."""
        await self.begin_with_view()
        self.expect_console("status of 503")

        def scenario(page):
            error = {"message": "Too many", "code": "UNAVAILABLE"}
            page.route(
                ENDPOINT,
                lambda route: route.fulfill(
                    status=503,
                    headers={"X-Request-ID": "id-of-this"},
                    body=json.dumps({"success": False, "error": error}),
                ),
            )
            page.click("#camera-start")
            expect()(page.locator("#camera-error-message")).to_have_text("Too many")
            expect()(page.locator("#camera-error-code")).to_have_text("code UNAVAILABLE")
            expect()(page.locator("#camera-error-request")).to_have_text("request id-of-this")
            expect()(page.locator("#state-camera")).to_have_text("off")
            self.assertIsNone(page.evaluate("document.getElementById('preview').srcObject"))

        await self.browse(scenario)

    async def test_session(self):
        """The offer goes through the proxy, names no ICE server, and Stop ends the session."""
        await self.begin_with_view()

        def scenario(page):
            with page.expect_request(ENDPOINT) as asked:
                page.click("#camera-start")
            offer = asked.value.post_data
            self.assertIn("m=video", offer)
            self.assertNotIn("typ srflx", offer)
            expect()(page.locator("#state-whip")).to_have_text("201 Created")
            expect()(page.locator("#state-location")).to_contain_text("/whip-session/")
            self.assertEqual(len(self.demo.whip.sessions), 1)
            page.click("#camera-stop")
            expect()(page.locator("#state-whip")).to_have_text("ended: DELETE 200")
            self.assertEqual(len(self.demo.whip.sessions), 0)

        await self.browse(scenario)
