"""From ``[auth] guest`` to who makes guests, and to what stands before them."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from functools import partial
from typing import Any

from ..auth.app_check import AppCheck
from ..auth.challenge import Challenge
from ..auth.guest_routes import GuestDesk
from ..auth.guests import GuestOptions, Guests
from ..interfaces import IRateLimiter
from ..limits.ceilings import Ceilings
from ..model import RateLimit
from ..options.server import Config
from ..route.cross_site import CrossSite
from ..storage.key_file import KEY_SIZE
from ..wrappers.base import is_https
from .heirlooms import Heirlooms
from .setting import Workplace


def guests_of(
    config: Config, heirlooms: Heirlooms, workplace: Workplace | None = None
) -> Guests | None:
    """Who makes the server's guests; ``None`` in another mode.

    :param workplace: of a worker, which has the key of all workers where there is no other.
    """
    if config.auth.mode != "guest":
        return None
    make = partial(secrets.token_bytes, KEY_SIZE)
    if workplace is not None:
        make = partial(workplace.key, "guests")
    key = heirlooms.have(make, "process key of guests")
    return Guests(
        config.auth.guests,
        server=config.server.name,
        csrf_cookie=config.auth.csrf_cookie,
        state_dir=config.server.state_dir,
        process_key=key,
    )


def desk_of(
    config: Config,
    guests: Guests,
    limiter: Callable[[str, RateLimit], IRateLimiter],
    cross_site: CrossSite,
    reactor: Any,
) -> GuestDesk:
    """The desk at which visitors become guests.

    :param limiter: makes a limiter of a name and a limit.
    :param cross_site: knows other sites' pages.
    """
    options, ca_file = config.auth.guests, config.upstream.ca_file
    return GuestDesk(
        guests,
        Ceilings(
            limiter("guest-address", options.per_address),
            limiter("guest-prefix", options.per_prefix),
        ),
        _challenge(options, ca_file, reactor),
        _app_check(options, ca_file, reactor),
        cross_site.check,
        partial(is_https, trusted=cross_site.trusted),
    )


def _challenge(options: GuestOptions, ca_file: str, reactor: Any) -> Challenge | None:
    if not options.verify_url or options.verify_secret is None:
        return None
    asked = options.verify_hostnames, options.verify_action
    return Challenge(
        options.verify_url, options.verify_secret, *asked, ca_file=ca_file, reactor=reactor
    )


def _app_check(options: GuestOptions, ca_file: str, reactor: Any) -> AppCheck | None:
    if not options.app_check:
        return None
    url = options.app_check_keys
    return AppCheck(options.app_check, url=url, ca_file=ca_file, reactor=reactor)
