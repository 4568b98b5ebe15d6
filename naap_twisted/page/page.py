"""The page's resources: packaged HTML, JavaScript modules and a style sheet, from this server."""

# Half of twisted.web has no types.
# mypy: allow-untyped-calls

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from importlib.resources import files
from string import Template

from twisted.web.iweb import IRequest
from twisted.web.resource import IResource, Resource

# Scripts and styles come from this server only and none is inline, so injected markup runs nothing.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src {}; "
    "img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_TYPES = {
    "html": b"text/html; charset=utf-8",
    "js": b"text/javascript; charset=utf-8",
    "css": b"text/css; charset=utf-8",
    "svg": b"image/svg+xml",
}
#: What a panel is called on its tab; its markup is in ``static/NAME.html``.
_PANELS = {
    "chat": "Chat",
    "guest": "Guest",
    "camera": "Camera",
    "console": "Console",
    "usage": "Usage",
}
#: The panels of each page.
_OF_DEMO, _OF_ADMIN = ("chat", "guest", "camera", "console"), ("console", "usage")


class StaticText(Resource):
    """Serves one text.

    :param kind: the ending of a file name, which decides the content type.
    :param origins: gives the origins that a page may call beside its own.
    """

    isLeaf = True

    def __init__(self, text: str, kind: str, origins: Callable[[], Sequence[str]] = tuple) -> None:
        super().__init__()
        self._body = text.encode()
        self._type = _TYPES[kind]
        self._origins = origins

    def render_GET(self, request: IRequest) -> bytes:
        """The text; browsers ask again each time, since the next start may write other ports."""
        connect = " ".join(("'self'", *self._origins()))
        request.setHeader(b"content-type", self._type)
        request.setHeader(b"content-security-policy", _POLICY.format(connect).encode("ascii"))
        request.setHeader(b"x-content-type-options", b"nosniff")
        request.setHeader(b"cache-control", b"no-cache")
        return self._body

    def render_HEAD(self, request: IRequest) -> bytes:
        """The head of a GET; Twisted's own render_HEAD would log a warning."""
        request.setHeader(b"content-length", b"%d" % len(self.render_GET(request)))
        return b""


def demo_children(
    proxy_path: str, target_url: str, base_path: str, guest_path: str
) -> dict[bytes, IResource]:
    """The children of the demo's root: its panels at ``/``, their files at ``/page/``.

    :param proxy_path: path of the chat route on this server.
    :param target_url: the upstream URL that the chat sends as its target.
    :param base_path: below which visitors become guests.
    :param guest_path: path of the route that guests may ask.
    """
    values = {"proxy": proxy_path, "target": target_url, "api": base_path, "guest": guest_path}
    return {b"": StaticText(_document(_OF_DEMO, values), "html"), b"page": _files()}


def console_children(origins: Callable[[], Sequence[str]]) -> dict[bytes, IResource]:
    """The children of the admin site's root: console and usage at ``/``, files at ``/page/``.

    :param origins: gives the root URLs of the proxy's own listeners; the page may call them.
    """
    document = _document(_OF_ADMIN, dict.fromkeys(("proxy", "target", "api", "guest"), ""))
    return {b"": StaticText(document, "html", origins), b"page": _files()}


def _files() -> Resource:
    folder = Resource()
    for file in files(__package__).joinpath("static").iterdir():
        kind = file.name.rpartition(".")[2]
        if kind in ("js", "css", "svg"):
            folder.putChild(file.name.encode(), StaticText(file.read_text("utf-8"), kind))
    return folder


def _document(panels: Sequence[str], values: dict[str, str]) -> str:
    shell = Template(_markup("page"))
    tabs = "" if len(panels) == 1 else f'<div role="tablist">{"".join(map(_tab, panels))}</div>'
    return shell.substitute(
        {key: escape(value) for key, value in values.items()},
        tabs=tabs,
        panels="\n".join(map(_panel, panels)),
    )


def _tab(name: str) -> str:
    return (
        f'<button type="button" role="tab" id="tab-{name}" aria-controls="panel-{name}"'
        f' aria-selected="false" tabindex="-1">{_PANELS[name]}</button>'
    )


def _panel(name: str) -> str:
    return (
        f'<div id="panel-{name}" class="panel" data-panel="{name}" hidden>\n{_markup(name)}</div>'
    )


def _markup(name: str) -> str:
    return files(__package__).joinpath("static", f"{name}.html").read_text("utf-8")
