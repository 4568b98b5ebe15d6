"""Daydream video: passes a page's WebRTC (WHIP) offer on, with the user's own key."""

import os

from twisted.web.server import Request

from naap_twisted import ExposeHeader, create_external_proxy, create_plugin_server
from naap_twisted.auth.static import StaticTokens, parse_pairs
from naap_twisted.errors import ConfigError
from naap_twisted.secret import Secret

server = create_plugin_server(
    name="daydream-video",
    port=4111,
    # Who may call; put your own IAuthenticator here.
    authenticator=StaticTokens.from_env("NAAP_TOKENS"),
)

# In a real plugin: a table of your database.
try:
    USER_KEYS = parse_pairs(os.environ.get("DAYDREAM_API_KEYS", ""))
except ValueError as error:
    raise ConfigError(f'DAYDREAM_API_KEYS: {error}; set it to "userid=key,userid2=key2"') from None


async def get_user_api_key(user_id: str) -> str:
    """The user's own Daydream key; KeyError when there is none."""
    return USER_KEYS[user_id]


async def authorize(request: Request) -> bool:
    user = server.user(request)
    if not user:
        return False
    await get_user_api_key(user.id)  # raises for a user without a key: that denies, too
    return True


async def forward_headers(request: Request) -> dict[str, Secret]:
    user = server.user(request)
    assert user is not None  # authorize saw to it
    key = await get_user_api_key(user.id)
    return {"Authorization": Secret(f"Bearer {key}", source="DAYDREAM_API_KEYS")}


server.mount(
    "/daydream/whip-proxy",
    create_external_proxy(
        allowed_hosts=["ai.livepeer.com", "livepeer.studio", "api.daydream.live"],
        target_url_header="X-WHIP-URL",
        content_type="application/sdp",  # text, where the other example has JSON
        expose_headers=[
            ExposeHeader("Location", "X-WHIP-Resource"),
        ],
        timeout=30.0,
        authorize=authorize,
        forward_headers=forward_headers,
    ),
)

if __name__ == "__main__":
    server.run()
