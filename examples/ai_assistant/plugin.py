"""The AI assistant: lets a page call the OpenAI API, and keeps the key here."""

from twisted.web.server import Request

from naap_twisted import create_external_proxy, create_plugin_server
from naap_twisted.auth.static import StaticTokens
from naap_twisted.secret import Secret

server = create_plugin_server(
    name="ai-assistant",
    port=4020,
    # Who may call; put your own IAuthenticator here.
    authenticator=StaticTokens.from_env("NAAP_TOKENS"),
)


async def authorize(request: Request) -> bool:
    # A user must be logged in.
    user = server.user(request)
    if not user:  # noqa: SIM103 (more checks belong below)
        return False

    # The place for quotas, usage records and the like.
    return True


# The way to OpenAI.
server.mount(
    "/assistant/openai-proxy",
    create_external_proxy(
        allowed_hosts=["api.openai.com"],
        target_url_header="X-Target-URL",
        content_type="application/json",
        body_limit="1mb",
        timeout=60.0,  # a language model may take its time
        forward_headers={
            # Added on the way out: no browser ever gets it.
            "Authorization": Secret.from_env("OPENAI_API_KEY", prefix="Bearer "),
        },
        authorize=authorize,
    ),
)

if __name__ == "__main__":
    server.run()
