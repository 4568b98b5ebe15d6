"""A Klein app as its authors would write it for any site: nothing here knows of a proxy."""

import json

from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.web.static import File

SHOP = "/api/v1/shop"


def install(app, below, files):
    """A shop's routes, as its authors would write them for any Klein."""
    install_readers(app.route, below)
    install_answers(app.route, below, files)

    @app.route(below + "/teapot")
    def teapot(request):
        raise LookupError("short and stout")

    @app.route(below + "/broken")
    def broken(request):
        raise ZeroDivisionError("a handler's own bug")

    @app.handle_errors(LookupError)
    def is_teapot(request, failure):
        request.setResponseCode(418)
        return b"teapot"


def install_readers(route, below):
    """Routes that read the request in every way."""

    @route(below + "/args", methods=["GET", "HEAD", "POST"])
    def args(request):
        request.setHeader("content-type", "application/json")
        found = {k.decode(): [v.decode("latin-1") for v in vs] for k, vs in request.args.items()}
        return json.dumps(found, sort_keys=True)

    @route(below + "/body", methods=["POST"])
    def body(request):
        return repr((request.content.read(), request.getHeader("content-type"))).encode()

    @route(below + "/item/<int:number>")
    def item(request, number):
        return f"item {number}"

    @route(below + "/café/<name>")
    def cafe(request, name):
        return f"{name} {request.path!r} {request.uri!r} {request.prePathURL()!r}"

    @route(below + "/there/", branch=True)
    def there(request):
        return repr((request.prepath, request.postpath))

    @route(below + "/cookie")
    def cookie(request):
        request.addCookie("seen", request.getCookie(b"b"), path="/")
        return b""

    @route(below + "/visits")
    def visits(request):
        session = request.getSession()
        session.visits = getattr(session, "visits", 0) + 1
        return str(session.visits)


def install_answers(route, below, files):
    """Routes that answer in every way."""

    @route(below + "/old")
    def old(request):
        request.redirect(SHOP.encode() + b"/new")
        return b""

    @route(below + "/dir/", methods=["GET"])
    def directory(request):
        return b"a directory"

    @route(below + "/files/", branch=True)
    def static(request):
        return File(files)

    @route(below + "/slow")
    async def slow(request):
        await deferLater(reactor, 0.01)
        request.setResponseCode(202)
        request.setHeader("X-Own", "yes")
        return b"waited"

    @route(below + "/pieces")
    async def pieces(request):
        for piece in (b"one ", b"two ", b"three"):
            request.write(piece)
            await deferLater(reactor, 0)
        return b""
