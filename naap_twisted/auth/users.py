"""What an identity provider says of a user, to a ``User``. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from ..model import User

_LONGEST_ID = 256
_LONGEST_EMAIL = 320
_LONGEST_ROLE = 128
_MOST_ROLES = 64


def user_of(fields: Mapping[str, object], *id_names: str) -> User:
    """The user that *fields* describe: an id, and ``email``, ``roles`` or ``role`` if they are fit.

    :param id_names: where the id may stand; the first that is there counts, whatever it holds.
    :raises ValueError: there is no id, or it is not 1 to 256 printable characters.
    """
    name = next((name for name in id_names if name in fields), None)
    if name is None:
        raise ValueError("there is no user id")
    found = fields[name]
    if isinstance(found, int) and not isinstance(found, bool) and abs(found) < 2**64:
        found = str(found)
    # It goes to logs, limits and stores: no control characters, no megabytes.
    if not isinstance(found, str) or not 0 < len(found) <= _LONGEST_ID or not found.isprintable():
        raise ValueError("the user id is not 1 to 256 printable characters")
    email = fields.get("email")
    if not isinstance(email, str) or len(email) > _LONGEST_EMAIL or not email.isprintable():
        email = None
    return User(found, email or None, _roles(fields))


def _roles(fields: Mapping[str, object]) -> tuple[str, ...]:
    listed = fields.get("roles")
    found = list(listed[:_MOST_ROLES]) if isinstance(listed, list) else [listed]
    found.append(fields.get("role"))
    # What is no role's name gives no role: that only ever takes rights away.
    fit = [role for role in found if isinstance(role, str) and 0 < len(role) <= _LONGEST_ROLE]
    return tuple(dict.fromkeys(fit))
