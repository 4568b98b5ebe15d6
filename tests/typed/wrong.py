"""What a type checker must refuse: each line says with which of mypy's codes. It is never run."""

from __future__ import annotations

from twisted.web.server import Request

from naap_twisted import RateLimit, Secret, User, create_external_proxy, create_plugin_server
from naap_twisted.auth.static import StaticTokens
from naap_twisted.testing import ScriptedUpstream


class Nobody:
    def identify(self, request: Request) -> User | None:
        return None


class ByName:
    def authenticate(self, name: str) -> User | None:
        return User(name)


class Named:
    def authenticate(self, request: Request) -> str:
        return "ada"


def one_too_many(request: Request, user: User) -> bool:
    return True


def of_numbers(request: Request) -> dict[str, int]:
    return {"X-Number": 1}


async def of_a_list(request: Request) -> list[str]:
    return ["X-Number: 1"]


def secret_in_words(secret: Secret) -> str:
    return secret.reveal()  # refused: return-value


server = create_plugin_server("ai", 4020, require_auth=False)
user: User = server.user("ada")  # refused: arg-type, assignment
server.mount("/a", "https://api.example.com")  # refused: arg-type
server.http.fetch("https://api.example.com")  # refused: attr-defined
server.client(allowed_hosts=["api.example.com"])  # refused: call-arg
server.keys.get("ada")  # refused: call-arg
create_plugin_server("ai", "4020")  # refused: arg-type
create_plugin_server("ai", drain_timeuot="5s")  # refused: call-arg
create_plugin_server("ai", compression="yes")  # refused: arg-type
create_plugin_server("ai", rate_limit=RateLimit(requests="many"))  # refused: arg-type
create_plugin_server("ai", rate_limit={"requests": [1]})  # refused: dict-item
create_plugin_server("ai", on_redis_loss="perhaps")  # refused: arg-type
create_plugin_server("ai", keys={"ada": "sk-test"})  # refused: arg-type
create_plugin_server("ai", authenticator="jwt")  # refused: arg-type
create_plugin_server("ai", authenticator=Nobody())  # refused: arg-type
create_plugin_server("ai", authenticator=ByName())  # refused: arg-type
create_plugin_server("ai", authenticator=Named())  # refused: arg-type
create_plugin_server("ai", authenticator=StaticTokens)  # refused: arg-type
StaticTokens({"token": "ci"})  # refused: dict-item
create_external_proxy(alowed_hosts=["api.example.com"])  # refused: call-arg
create_external_proxy(timeout=[5])  # refused: arg-type
create_external_proxy(errors="raw")  # refused: arg-type
create_external_proxy(authorize=one_too_many)  # refused: arg-type
create_external_proxy(authorize=True)  # refused: arg-type
create_external_proxy(forward_headers={"X-Number": 1})  # refused: dict-item
create_external_proxy(forward_headers=of_numbers)  # refused: arg-type
create_external_proxy(forward_headers=of_a_list)  # refused: arg-type
create_external_proxy(upstream="https://api.example.com")  # refused: arg-type
ScriptedUpstream(None, "HTTP/1.1 200 OK")  # refused: arg-type
