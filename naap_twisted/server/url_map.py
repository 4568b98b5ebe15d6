"""Klein's url map as a pure question: which rule matches a method and a path.

For a doubled slash the map itself would redirect to an absolute URL, made of the Host that the
caller sent and the port of our listener. Both are wrong behind a proxy, and the Host is a
stranger's choice: the answer here is a path instead.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote_to_bytes as unquote

from attrs import frozen
from klein import Klein
from werkzeug.exceptions import HTTPException
from werkzeug.exceptions import MethodNotAllowed as KleinMethodNotAllowed
from werkzeug.exceptions import NotFound as KleinNotFound
from werkzeug.routing import RequestRedirect

from .._twisted import handles_errors
from ..errors import NotFound, ProxyError
from .mounts import Mount, wrong_method

# The host that the map is bound to, so that its own redirects are told from ``redirect_to`` rules,
# which lead elsewhere and which Klein answers itself. RFC 2606 keeps ".invalid" out of DNS.
_HERE = "naap.invalid"
_ORIGIN = f"http://{_HERE}"


@frozen
class Match:
    """What answers one method and path: a mount, a refusal, a redirect, or else Klein itself.

    :ivar error: the refusal where no rule matches, or none for this method.
    :ivar rule: the text of the url map's rule, for the log line; ``""`` where no rule matches.
    :ivar location: where a redirect leads: the canonical spelling of the path, below the base path.
    """

    mount: Mount | None = None
    error: ProxyError | None = None
    rule: str = ""
    location: bytes = b""


class UrlMap:
    """The url map of *klein*; its paths are below the base path and still percent-encoded.

    :ivar by_endpoint: the mounts, by the endpoint of their rules.
    """

    def __init__(self, klein: Klein) -> None:
        self._klein = klein
        self.by_endpoint: dict[str, Mount] = {}

    def match(self, method: bytes, path: bytes) -> Match:
        """Which rule matches, and the mount that it is of."""
        try:
            rule, _ = self._adapter(path).match(method=method.decode("ascii"), return_rule=True)
        except (KleinNotFound, UnicodeDecodeError):
            return self._unless_handled(NotFound())
        except KleinMethodNotAllowed as error:
            return self._unless_handled(wrong_method(error.valid_methods or ()))
        except RequestRedirect as redirect:
            url = redirect.new_url
            path_below = url.removeprefix(_ORIGIN) if url.startswith(f"{_ORIGIN}/") else ""
            return Match(location=path_below.encode("ascii"))
        except HTTPException:
            return Match()
        return Match(self.by_endpoint.get(str(rule.endpoint)), rule=rule.rule)

    def methods(self, path: bytes) -> list[bytes]:
        """The methods that any rule takes for *path*."""
        try:
            return [name.encode("ascii") for name in sorted(self._adapter(path).allowed_methods())]
        except UnicodeDecodeError:
            return []

    def _adapter(self, path: bytes) -> Any:
        return self._klein.url_map.bind(_HERE, path_info=unquote(path).decode("utf-8"))

    def _unless_handled(self, error: ProxyError) -> Match:
        return Match() if handles_errors(self._klein) else Match(error=error)
