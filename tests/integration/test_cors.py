"""What a browser asks before it asks: preflights over real sockets."""

from .support import OK, ORIGIN, PATH, PINNED, IntegrationTestCase

LISTED = {"cors_origins": [ORIGIN, "https://app.example.org"]}


class CorsTestCase(IntegrationTestCase):
    async def preflight(self, wanted="", path=PATH, origin=ORIGIN, method="POST"):
        """The answer to a browser's preflight that wants the headers *wanted*."""
        headers = {"Origin": origin, "Access-Control-Request-Method": method}
        if wanted:
            headers["Access-Control-Request-Headers"] = wanted
        return await self.running.ask("OPTIONS", path, headers)

    async def allowed(self, wanted="", **request):
        """The header names that a preflight allows, in lower case."""
        answer = await self.preflight(wanted, **request)
        self.assertEqual(answer.status, 204)
        return set(answer.header("Access-Control-Allow-Headers").lower().split(", "))


class PreflightTests(CorsTestCase):
    async def test_the_registry(self):
        """Every name that the seed's pages send."""
        self.start()
        names = (
            "content-type authorization x-csrf-token x-correlation-id x-plugin-name x-request-id"
            " x-trace-id x-team-id x-whip-url x-target-url"
        )
        self.assertLessEqual(set(names.split()), await self.allowed())

    async def test_a_new_target_header_needs_no_other_edit(self):
        self.start(OK, target_url_header="X-My-Very-Own-URL")
        self.assertIn("x-my-very-own-url", await self.allowed("x-my-very-own-url"))
        answer = await self.post(X_My_Very_Own_URL=self.upstream.origin)
        self.assertEqual(answer.status, 200)

    async def test_cors_headers_are_allowed_on_every_route(self):
        self.start(server={"cors_headers": ["X-My-Custom-Header"]})
        self.mount("/y")
        self.running.server.router.route("/own")(lambda request: b"own")
        for path in (PATH, "/api/v1/y", "/api/v1/own", "/healthz"):
            self.assertIn("x-my-custom-header", await self.allowed(path=path))

    async def test_patterns_allow_the_requested_name_only(self):
        self.start(server={"cors_headers": ["X-Team-*"]}, pass_headers=["X-Trace-*"])
        found = await self.allowed("x-team-blue, x-trace-7, x-other")
        self.assertLessEqual({"x-team-blue", "x-trace-7"}, found)
        self.assertFalse({"x-other", "x-team-*", "x-trace-*"} & found)

    async def test_pinned_routes_allow_what_official_clients_send(self):
        self.start()
        self.mount("/p", target=self.upstream.origin + "/v1")
        wanted = "x-stainless-lang, x-stainless-retry-count, openai-beta, idempotency-key"
        path = PINNED + "/chat/completions"
        self.assertLessEqual(set(wanted.split(", ")), await self.allowed(wanted, path=path))

    async def test_methods_and_max_age(self):
        self.start(methods=("POST", "PATCH", "DELETE"))
        answer = await self.preflight()
        methods = set(answer.header("Access-Control-Allow-Methods").split(", "))
        self.assertEqual(methods, {"POST", "PATCH", "DELETE", "OPTIONS"})
        self.assertGreater(int(answer.header("Access-Control-Max-Age")), 0)

    async def test_preflights_need_no_user_and_ask_no_upstream(self):
        self.start(server={"require_auth": True})
        self.assertEqual((await self.preflight("authorization")).status, 204)
        self.assertEqual(self.upstream.connections, 0)

    async def test_options_with_authorization_from_a_page(self):
        """Off-the-shelf WHIP clients do so, and look for PATCH."""
        self.start(server={"require_auth": True}, methods=("POST", "PATCH"))
        headers = {"Origin": ORIGIN, "Authorization": "Bearer x"}
        answer = await self.running.ask("OPTIONS", PATH, headers)
        self.assertEqual(answer.status, 204)
        self.assertIn("PATCH", answer.header("Access-Control-Allow-Methods"))

    async def test_unknown_paths(self):
        self.start()
        answer = await self.preflight(path="/api/v1/nope")
        self.assert_refused(answer, 404, "NOT_FOUND")
        self.assert_readable(answer)


class OriginTests(CorsTestCase):
    async def test_any_origin_never_with_credentials(self):
        self.start(OK)
        for answer in (await self.preflight(), await self.post()):
            self.assertEqual(answer.header("Access-Control-Allow-Origin"), "*")
            self.assertIsNone(answer.header("Access-Control-Allow-Credentials"))

    async def test_listed_origins_are_echoed_with_credentials(self):
        self.start(OK, server=LISTED)
        for origin in LISTED["cors_origins"]:
            for answer in (await self.preflight(origin=origin), await self.post(Origin=origin)):
                self.assertLess(answer.status, 300)
                self.assertEqual(answer.header("Access-Control-Allow-Origin"), origin)
                self.assertEqual(answer.header("Access-Control-Allow-Credentials"), "true")
                self.assertIn("Origin", answer.header("Vary"))

    async def test_others_are_refused(self):
        for server, origins in (
            (LISTED, ["https://evil.example", "null", "https://app.example.org.evil.example"]),
            ({}, ["null"]),
        ):
            self.start(server=server)
            for origin in origins:
                answer = await self.preflight(origin=origin)
                self.assert_refused(answer, 403, "ORIGIN_NOT_ALLOWED")
                self.assertIsNone(answer.header("Access-Control-Allow-Origin"))

    async def test_no_origin_no_cors(self):
        """curl and other servers' calls are served, and caches told that Origin matters."""
        self.start(OK, server=LISTED)
        answer = await self.post(Origin=None)
        self.assertEqual(answer.status, 200)
        self.assertIsNone(answer.header("Access-Control-Allow-Origin"))
        self.assertEqual(answer.header("Vary"), "Origin")
