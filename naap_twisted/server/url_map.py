"""What Klein's url map says of a method and a path. It answers nothing itself.

Its own word for a doubled or a missing slash is a redirect to an absolute URL, made of the Host
that a stranger wrote and the port that only we see. Here it becomes a path: right behind every
proxy, and nobody's words but ours.
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
from .mounts import wrong_method

# Never asked: a redirect elsewhere is a rule's own word (``redirect_to``), and Klein gives it.
_HERE = "naap.invalid"
_ORIGIN = f"http://{_HERE}"


@frozen
class Said:
    """The map's word. Where all is empty, Klein itself has something to say.

    :ivar endpoint: of the rule that matches.
    :ivar rule: the rule's text.
    :ivar location: the path's one spelling, below the base path, where it was asked in another.
    :ivar error: no rule matches, or none for this method.
    """

    endpoint: str = ""
    rule: str = ""
    location: bytes = b""
    error: ProxyError | None = None


class UrlMap:
    """The url map of *klein*; paths are those below the base path, as they came."""

    def __init__(self, klein: Klein) -> None:
        self._klein = klein

    def ask(self, method: bytes, path: bytes) -> Said:
        """Which rule matches."""
        try:
            rule, _ = self._adapter(path).match(method=method.decode("ascii"), return_rule=True)
        except (KleinNotFound, UnicodeDecodeError):
            return self._unless_handled(NotFound())
        except KleinMethodNotAllowed as error:
            return self._unless_handled(wrong_method(error.valid_methods or ()))
        except RequestRedirect as redirect:
            return Said(location=_path_of(redirect.new_url))
        except HTTPException:
            return Said()
        return Said(str(rule.endpoint), rule.rule)

    def methods(self, path: bytes) -> list[bytes]:
        """Those that some rule takes for *path*."""
        try:
            return [name.encode("ascii") for name in sorted(self._adapter(path).allowed_methods())]
        except UnicodeDecodeError:
            return []

    def _adapter(self, path: bytes) -> Any:
        return self._klein.url_map.bind(_HERE, path_info=unquote(path).decode("utf-8"))

    def _unless_handled(self, error: ProxyError) -> Said:
        return Said() if handles_errors(self._klein) else Said(error=error)


def _path_of(url: str) -> bytes:
    return url.removeprefix(_ORIGIN).encode("ascii") if url.startswith(f"{_ORIGIN}/") else b""
