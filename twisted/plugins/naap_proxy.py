"""Makes ``twistd naap-proxy`` known; everything else is in :mod:`naap_twisted.start.twistd`."""

from twisted.application.service import ServiceMaker

naap_proxy = ServiceMaker(
    "naap-proxy",
    "naap_twisted.start.twistd",
    "Lets a browser call third-party APIs while the keys stay on the server.",
    "naap-proxy",
)
