"""The parts of a server, made of its config, or taken over from the server before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import evolve

from ..auth.gate import Gate
from ..auth.patience import Patience
from ..interfaces import IAuthenticator
from ..limits.capacity import Capacity
from ..limits.door import Door
from ..observe.log import AccessLog
from ..options.server import Config, ServerOptions
from .authentication import authenticator_of
from .chain import capacity_of, limits_of, pool_limits_of, upstream_of
from .heirlooms import Heirlooms, stamp
from .parts import Parts
from .setting import ALONE, Setting
from .stores import State
from .tally import Tally


def parts_of(config: Config, reactor: Any, before: Parts | None, setting: Setting = ALONE) -> Parts:
    """The parts of a server with *config*, as far as they can be had those of the one before.

    :param setting: of a server without one before.
    :raises ConfigError: see :class:`~.stores.State`; or ``ca_file`` can't be read.
    """
    heirlooms = Heirlooms(None if before is None else before.heirlooms)
    upstream, bounds, places = config.upstream, limits_of(config), capacity_of(config.server)
    setting = setting if before is None else before.setting
    return Parts(
        options=config.server,
        upstream=heirlooms.have(
            lambda: upstream_of(upstream, bounds, reactor),
            *("upstream", upstream, stamp(upstream.ca_file), pool_limits_of(bounds)),
        ),
        state=State(config, reactor, heirlooms, setting.workplace),
        capacity=heirlooms.have(
            lambda: Capacity.of(places, bounds.connections), "places", places, bounds.connections
        ),
        tally=heirlooms.have(Tally, "tally"),
        clock=reactor,
        born=heirlooms.have(reactor.seconds, "born"),
        heirlooms=heirlooms,
        generation=1 if before is None else before.generation + 1,
        setting=setting,
    )


def authenticator_for(config: Config, parts: Parts) -> IAuthenticator | None:
    """The authenticator of *config*: sessions and keys that it knows outlive a reload."""
    auth, ca_file, state = config.auth, config.upstream.ca_file, parts.state
    return parts.heirlooms.have(
        lambda: authenticator_of(auth, ca_file, state.guests),
        *("authenticator", auth, ca_file, stamp(ca_file), state.guests),
        # Where it keeps what it knows: a server that is never to serve must not move that.
        *state.places,
    )


def gate_of(
    config: Config, authenticator: IAuthenticator | None, patience: Patience, state: State
) -> Gate:
    """The gate of a server with *config*, which asks *authenticator* who a caller is."""
    return Gate(
        authenticator,
        patience,
        required=config.auth.is_required,
        public_routes=state.public_routes,
        token_headers=config.auth.token_headers,
        page_tokens=state.page_tokens,
    )


def door_of(options: ServerOptions, state: State) -> Door:
    """The door of every route: the limit of a user, where there is one."""
    limit = options.user_rate_limit
    return Door() if limit is None else Door((state.policy("user", limit, users=True),))


def observers_of(parts: Parts) -> list[Callable[[Any], None]]:
    """Who is told of each exchange that is over."""
    observers: list[Callable[[Any], None]] = [AccessLog()]
    usage = parts.state.usage
    if usage is not None:
        observers.append(lambda request: usage.ended(request.record))
    # Only /metrics reads the tally, and counting costs half a microsecond an exchange.
    if parts.options.admin_listen:
        observers.append(parts.tally.ended)
    return observers


def places_of(parts: Parts, path: str, running: int | None) -> Capacity:
    """The places of the route at *path*, beside those of the server.

    :param running: exchanges at once; ``None``: as many as the server lets any route have.
    """
    limit = capacity_of(parts.options).route
    if running is not None:
        limit = evolve(limit, running=running)
    return parts.heirlooms.have(
        lambda: parts.capacity.sibling(limit),
        *("places of a route", path, limit, parts.capacity),
        begin=Capacity.move_in,
        end=Capacity.move_out,
    )
