"""A plugin that uses every seam of the package; it must pass ``mypy --strict``, and run."""

from __future__ import annotations

from klein import Klein
from treq.testing import StubTreq
from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import TestCase
from twisted.web.iweb import IResponse
from twisted.web.server import Request

from naap_twisted import (
    ExposeHeader,
    ExternalProxy,
    PluginServer,
    RateLimit,
    Secret,
    User,
    create_external_proxy,
    create_plugin_server,
)
from naap_twisted.auth.jwt import JwtAuthenticator, JwtOptions
from naap_twisted.auth.session import SessionAuthenticator
from naap_twisted.auth.static import StaticTokens
from naap_twisted.errors import InvalidToken, NoUserKey
from naap_twisted.interfaces import (
    IAuthenticator,
    IKeyStore,
    IResolver,
    IUpstream,
)
from naap_twisted.model import KeyInfo, OutboundRequest
from naap_twisted.testing import (
    CLOSE,
    PAUSE,
    Answer,
    RawClient,
    RunningServer,
    ScriptedUpstream,
    StaticResolver,
)
from naap_twisted.upstream.agent import as_upstream


class ByHeader:
    """Who calls stands in a header."""

    def authenticate(self, request: Request) -> User | None:
        name = request.getHeader("X-User")
        if name is None:
            return None
        if not name.isalnum():
            raise InvalidToken(reason="no name")
        return User(name, roles=("member",))


class ByCoroutine:
    """The same, later."""

    async def authenticate(self, request: Request) -> User | None:
        return ByHeader().authenticate(request)


class ByDeferred:
    """The same, as Twisted says it."""

    def authenticate(self, request: Request) -> Deferred[User | None]:
        return succeed(ByHeader().authenticate(request))


class Keys:
    """Users' own keys, in a table."""

    def __init__(self, keys: dict[tuple[str, str], Secret]) -> None:
        self._keys = keys

    async def _get(self, user_id: str, provider: str) -> Secret:
        if (user_id, provider) not in self._keys:
            raise NoUserKey(provider, "/api/v1/keys")
        return self._keys[user_id, provider]

    def get(self, user_id: str, provider: str) -> Deferred[Secret]:
        return Deferred.fromCoroutine(self._get(user_id, provider))

    def put(self, user_id: str, provider: str, key: Secret) -> Deferred[KeyInfo]:
        self._keys[user_id, provider] = key
        return succeed(KeyInfo(provider, "", 0))

    def delete(self, user_id: str, provider: str) -> Deferred[bool]:
        return succeed(self._keys.pop((user_id, provider), None) is not None)

    def describe(self, user_id: str) -> Deferred[tuple[KeyInfo, ...]]:
        return succeed(tuple(KeyInfo(name, "", 0) for user, name in self._keys if user == user_id))


class Counting:
    """A way out around another one."""

    def __init__(self, inner: IUpstream) -> None:
        self.count = 0
        self._inner = inner

    def send(self, outbound: OutboundRequest) -> Deferred[IResponse]:
        self.count += 1
        return self._inner.send(outbound)

    def close(self) -> Deferred[None]:
        return self._inner.close()


def authenticators() -> list[IAuthenticator]:
    """The package's own and three of a plugin's."""
    return [
        ByHeader(),
        ByCoroutine(),
        ByDeferred(),
        StaticTokens({"token": User("ci")}),
        SessionAuthenticator("http://127.0.0.1:3000/api/v1/auth/me"),
        JwtAuthenticator.from_secret("x" * 32, ["HS256"], JwtOptions(audience=["plugin"])),
    ]


def make_server(authenticator: IAuthenticator, keys: IKeyStore) -> PluginServer:
    """A server with many options, and with what its callables ask it."""
    server = create_plugin_server(
        "plugin",
        0,
        cors_origins=["https://app.example.com"],
        rate_limit=RateLimit(requests=100, window=60),
        user_rate_limit={"requests": 50, "window": "15m"},
        drain_timeout="5s",
        admin_listen="",
        public_routes=["/api/v1/hello"],
        authenticator=authenticator,
        keys=keys,
    )

    def authorize(request: Request) -> bool:
        user = server.user(request)
        return user is not None and "member" in user.roles

    async def authorize_later(request: Request) -> bool:
        user = server.user(request)
        return user is not None and bool(await server.keys.get(user.id, "acme"))

    def headers(request: Request) -> dict[str, Secret]:
        return {"Authorization": Secret("Bearer sk-test-0123456789")}

    async def headers_later(request: Request) -> dict[str, str | Secret]:
        user = server.user(request)
        assert user is not None
        return {"X-User": user.id, "X-Api-Key": await server.keys.get(user.id, "acme")}

    fixed: ExternalProxy = create_external_proxy(
        allowed_hosts=["api.example.com"],
        methods=["GET", "POST"],
        content_type=["application/json", "text/plain"],
        body_limit="1mb",
        timeout=60,
        expose_headers=[ExposeHeader("Location", "X-Resource")],
        forward_headers=headers,
        authorize=authorize,
    )
    server.mount("/fixed", fixed)
    own = create_external_proxy(
        target="https://api.example.com/v1",
        forward_headers=headers_later,
        authorize=authorize_later,
        rate_limit=None,
    )
    server.mount("/own", own)

    app = Klein()

    @app.route("/who")
    def who(request: Request) -> str:
        user = server.user(request)
        return "nobody" if user is None else user.id

    @server.router.route("/title")
    async def title(request: Request) -> str:
        response = await server.http.get(request.args[b"url"][0].decode())
        page = await response.text()
        return f"{response.code} {page}"

    shop = server.client(
        allowed_hosts=["api.example.com"],
        forward_headers={"Authorization": Secret("Bearer sk-test-0123456789")},
    )

    @server.router.route("/balance")
    async def balance(request: Request) -> bytes:
        response = await shop.get("https://api.example.com/balance")
        return await response.content()

    server.mount("/app", app.resource())
    server.root_children[b"about"] = app.resource()
    return server


class PluginTests(TestCase):
    """The plugin's own tests."""

    def test_routes(self) -> None:
        """Every authenticator makes a server with all of its routes."""
        for authenticator in authenticators():
            server = make_server(authenticator, Keys({}))
            paths: list[str] = [mount.full_path for mount in server.routes()]
            assert paths == ["/api/v1/fixed", "/api/v1/own", "/api/v1/app"], paths

    async def test_own_routes(self) -> None:
        """The user is known in a Klein route; what the server calls itself is vetted."""
        for authenticator in (ByHeader(), ByCoroutine(), ByDeferred()):
            running = RunningServer(self, make_server(authenticator, Keys({})))
            answer: Answer = await running.ask("GET", "/api/v1/app/who", {"X-User": "ada"})
            assert (answer.status, answer.body) == (200, b"ada"), answer
            upstream = ScriptedUpstream(self, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            path = f"/api/v1/title?url={upstream.origin}/"
            refused = await running.ask("GET", path, [("X-User", "ada")])
            assert refused.status >= 400, refused
            assert refused.header("X-Request-ID") and not upstream.requests
            about = await running.ask("GET", "/about/who", {"X-User": "ada"})
            assert about.body == b"nobody", about
            response = await running.treq("GET", "/healthz")
            assert response.code == 200

    async def test_streaming(self) -> None:
        """A route's answer as its upstream sends it."""
        head = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\none,"
        upstream = ScriptedUpstream(self, head, PAUSE, b"two", CLOSE)
        server = create_plugin_server("test", 0, require_auth=False)
        route = create_external_proxy(
            target=upstream.origin,
            allow_networks=[f"127.0.0.1/32:{upstream.port}"],
            authorize="anyone",
        )
        server.mount("/a", route)
        client: RawClient = await RunningServer(self, server).client()
        client.request("POST", "/api/v1/a", {"Content-Type": "application/json"}, b"{}")
        await client.read_until(b"one,")
        upstream.release()
        await upstream.until(lambda: upstream.requests[0].lost)
        assert upstream.requests[0].values("host") == [upstream.authority.encode()]

    def test_stub(self) -> None:
        """Any treq client stands in for an API, and so does anything that sends."""
        stub = StubTreq(Klein().resource())  # type: ignore[no-untyped-call]
        page = StubTreq(make_server(ByHeader(), Keys({})).resource())  # type: ignore[no-untyped-call]
        assert page is not stub
        create_external_proxy(allowed_hosts=["api.example.com"], upstream=stub)
        counting = Counting(as_upstream(stub))
        create_external_proxy(allowed_hosts=["api.example.com"], upstream=counting)

    async def test_names(self) -> None:
        """A resolver from a table is one."""
        resolver = StaticResolver({"api.example.com": ["192.0.2.1"]})
        seam: IResolver = resolver
        answer = await seam.resolve("api.example.com")
        assert [str(address) for address in answer.addresses] == ["192.0.2.1"]
        assert resolver.asked == ["api.example.com"]
