"""Where servers serve, one config after the other: the site, its sockets and the admin side."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..credentials.secret_files import SecretFiles
from ..downstream.regime import Regime
from ..downstream.site import DownstreamSite
from ..errors import ConfigError
from .drain import Drain, GoingOn
from .listeners import Listeners
from .parts import AdminSide, Served
from .sockets import Sockets


def _nothing() -> None:
    """What there is to do without an admin side."""


def _do(change: Callable[[], None]) -> None:
    change()


class Stage:
    """What stays open while a reload puts one server in the place of another.

    :param make_admin: makes the listener of ``admin_listen``, of a server and an endpoint string;
        in a worker there is none.
    :param sockets: where those of ``listen`` come from.
    :ivar site: that the sockets belong to.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        regime: Regime,
        make_admin: Callable[[Any, str], AdminSide | None],
        sockets: Sockets | None = None,
    ) -> None:
        self._reactor = reactor
        self._make_admin = make_admin
        self._sockets = sockets
        self.site = DownstreamSite(regime.resource, limits=regime.limits, reactor=reactor)
        self.site.serve(regime)
        self.site.overflow_into(regime.limits.of_overflow())
        self._listeners: Listeners | None = None
        self._admin: AdminSide | None = None
        self._admin_listen = ""
        self._drain: Drain | None = None
        self._watches: list[Callable[[], None]] = []

    @property
    def is_open(self) -> bool:
        """Whether it was opened, and not closed since."""
        return self._listeners is not None

    @property
    def is_listening(self) -> bool:
        """Whether every address is up."""
        return bool(self._listeners) and all(port.is_up for port in self._listeners or ())

    @property
    def addresses(self) -> list[str]:
        """Of the sockets: ``scheme://host:port``, or a UNIX endpoint's string."""
        return [port.address for port in self._listeners or ()]

    def descriptors(self, worker: int) -> list[tuple[str, int]]:
        """Endpoint strings, and the file descriptor of each for the worker of a number, from 0."""
        return [(port.description, port.descriptor(worker)) for port in self._listeners or ()]

    @property
    def admin_address(self) -> str:
        """Where the admin side listens; ``""`` while it does not."""
        return "" if self._admin is None else self._admin.port.address

    def open(self, server: Served) -> None:
        """Listen for *server*.

        :raises CannotListenError, ConfigError: an address can't be had; none is kept then.
        """
        self.site.closing = self.site.draining = False  # An earlier stop has set them.
        self._listeners = Listeners(self._reactor, self.site, self._sockets)
        try:
            self.change(server, self.site.regime)()
        except BaseException:
            self._listeners = None
            raise

    def change(self, server: Served, regime: Regime) -> Callable[[], Regime]:
        """Be ready to serve *regime*, of *server*; the result does it, and can't fail.

        It gives the regime that ends.

        :raises CannotListenError, ConfigError: a new address can't be had; nothing has changed.
        """
        assert self._listeners is not None, "it was never opened"
        listen, before = server.config.server.admin_listen, self._admin
        admin, renewed = before, _nothing
        if listen != self._admin_listen:
            admin = self._make_admin(server, listen) if listen else None
            if admin is not None:
                admin.open()
        elif admin is not None:
            try:
                renewed = admin.port.read_again()
            except ValueError as error:
                raise ConfigError(f"admin_listen: {error}") from None
        try:
            change_sockets = self._listeners.change(server.listen)
        except BaseException:
            if admin is not None and admin is not before:
                self._close(admin)
            raise

        def commit() -> Regime:
            change_sockets()
            ending = self.site.regime
            self.site.serve(regime)
            self._admin, self._admin_listen = admin, listen
            if admin is not None and admin is before:
                admin.serve(server)
                renewed()
            elif before is not None:
                self._close(before)
            return ending

        return commit

    def watch(self, files: SecretFiles) -> None:
        """Take up what *files* finds changed in the certificates of the sockets."""
        self._watch_no_more()
        ports = [*(self._listeners or ()), *([self._admin.port] if self._admin else [])]
        self._watches = [
            files.watch_files(port.description, port.files, port.read_again, _do)
            for port in ports
            if port.files
        ]

    def _watch_no_more(self) -> None:
        for end in self._watches:
            end()
        self._watches = []

    def _close(self, admin: AdminSide) -> None:
        def failed(failure: Failure) -> None:
            self._log.failure("The admin side could not be closed", failure)

        Deferred.fromCoroutine(admin.close()).addErrback(failed)

    async def drain(self, server: Served, alone: GoingOn) -> None:
        """Be a lame duck, stop listening, and let what is open finish within its time.

        :param alone: exchanges that have no connection any more.
        """
        options = server.config.server
        drain = self._drain = Drain(
            self.site, self._reactor, options.drain_timeout, alone, options.lame_duck
        )
        await drain.announce()
        if self._listeners is not None:
            await self._listeners.close()
        await drain.run()

    def hurry(self) -> None:
        """Cut every open exchange, while the stage drains."""
        if self._drain is not None:
            self._drain.hurry()

    async def close(self) -> None:
        """Close what is left, after the drain.

        The admin side closes last: /readyz says "not ready" while everything else ends.
        """
        self.site.ticker.stop()
        self._watch_no_more()
        self._listeners = None
        self._admin_listen = ""
        admin, self._admin = self._admin, None
        if admin is not None:
            await admin.close()
