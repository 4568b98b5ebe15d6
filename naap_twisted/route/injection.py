"""What a route adds of its own to a request: keys in headers, keys in the target."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attrs import evolve, field, frozen

from ..interfaces import IKeyStore
from ..keys.headers import UserKeyHeaders
from ..model import HeaderPairs, UserKeyHeader
from ..options.injected import KeyTable
from ..policy.target import PinnedBase
from ..secret import Secret
from .request_headers import injected_headers
from .scrub import Guard
from .sealing import Sealing


@frozen
class Injection:
    """One compiled table of keys.

    :ivar headers: the injected headers, where no callable makes them.
    :ivar forward: the callable that makes the injected headers; ``None`` where they are fixed.
    :ivar user_keys: headers that hold the user's own key: :meth:`with_keys` makes *forward* of
        them, once there is a store.
    :ivar sealing: puts keys into the target; ``None`` where it needs none.
    """

    headers: HeaderPairs = field(default=(), repr=False)
    forward: Callable[..., Any] | None = field(default=None, repr=False)
    user_keys: Mapping[str, Secret | UserKeyHeader] = field(factory=dict, repr=False)
    sealing: Sealing | None = None

    @classmethod
    def compile(cls, table: KeyTable, pinned: PinnedBase | None = None) -> Injection:
        """The injection of *table*, and of a pinned base's secrets."""
        headers = table.forward_headers
        base = pinned if pinned and pinned.secrets else None
        sealing = Sealing(table.forward_query, base) if table.forward_query or base else None
        if callable(headers):
            return cls(forward=headers, sealing=sealing)
        fixed = table.fixed_headers
        if len(fixed) == len(headers):
            return cls(injected_headers(fixed), sealing=sealing)
        return cls(user_keys=headers, sealing=sealing)

    def with_keys(self, keys: IKeyStore) -> Injection:
        """This injection with users' own keys taken from *keys*."""
        return (
            evolve(self, forward=UserKeyHeaders(self.user_keys, keys)) if self.user_keys else self
        )


@frozen
class Keys:
    """What one request gets from here.

    :ivar injected: headers.
    :ivar guard: looks for all of it in the answer.
    :ivar identity: the user whose own key it may be.
    :ivar token: the access token that is among the headers.
    """

    injection: Injection
    injected: HeaderPairs
    guard: Guard
    identity: str | None = None
    token: Secret | None = None
