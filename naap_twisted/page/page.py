"""The page: three packaged files and an icon, nothing from anywhere else."""

# Half of twisted.web has no types.
# mypy: allow-untyped-calls

from __future__ import annotations

from html import escape
from importlib.resources import files
from string import Template

from twisted.web.iweb import IRequest
from twisted.web.resource import IResource, Resource

# Everything comes from this server and nothing is inline: injected markup could do nothing.
CONTENT_SECURITY_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    b"img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_TYPES = {
    "html": b"text/html; charset=utf-8",
    "js": b"text/javascript; charset=utf-8",
    "css": b"text/css; charset=utf-8",
    "svg": b"image/svg+xml",
}


class StaticFile(Resource):
    """A packaged file, read once.

    :param name: file name in ``static/``; its ending decides the content type.
    :param values: text for the file's ``$name`` placeholders; escaped for HTML.
    """

    isLeaf = True

    def __init__(self, name: str, values: dict[str, str] | None = None) -> None:
        super().__init__()
        text = files(__package__).joinpath("static", name).read_text("utf-8")
        if values is not None:
            text = Template(text).substitute({key: escape(v) for key, v in values.items()})
        self._body = text.encode()
        self._type = _TYPES[name.rpartition(".")[2]]

    def render_GET(self, request: IRequest) -> bytes:
        """The file, never from a cache: the next start may have other ports in it."""
        request.setHeader(b"content-type", self._type)
        request.setHeader(b"content-security-policy", CONTENT_SECURITY_POLICY)
        request.setHeader(b"x-content-type-options", b"nosniff")
        request.setHeader(b"cache-control", b"no-cache")
        return self._body


def page_children(proxy_path: str, target_url: str) -> dict[bytes, IResource]:
    """What to put below the site's root: the page at ``/``, its files at ``/demo/``.

    :param proxy_path: path of the proxy's route on this server.
    :param target_url: the upstream URL that the page asks the proxy for.
    """
    folder = Resource()
    for name in ("app.js", "style.css", "icon.svg"):
        folder.putChild(name.encode(), StaticFile(name))
    index = StaticFile("index.html", {"proxy": proxy_path, "target": target_url})
    return {b"": index, b"demo": folder}
