"""Makes a ``User`` of the fields that an identity provider gives. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from ..model import User

_LONGEST_ID = 256
_LONGEST_EMAIL = 320
_LONGEST_ROLE = 128
_MOST_ROLES = 64


def user_of(fields: Mapping[str, object], *id_names: str) -> User:
    """The user that *fields* describe; an invalid ``email``, ``roles`` or ``role`` is left out.

    >>> user_of({"sub": 7, "role": "admin"}, "sub", "id")
    User(id='7', email=None, roles=('admin',))

    :param id_names: fields that may hold the id; the first that is there counts, valid or not.
    :raises ValueError: there is no id, or it is not 1 to 256 printable characters.
    """
    name = next((name for name in id_names if name in fields), None)
    if name is None:
        raise ValueError("there is no user id")
    user_id = fields[name]
    if isinstance(user_id, int) and not isinstance(user_id, bool) and abs(user_id) < 2**64:
        user_id = str(user_id)
    # The id goes to logs, limits and stores, where control characters or megabytes do harm.
    fits = isinstance(user_id, str) and 0 < len(user_id) <= _LONGEST_ID and user_id.isprintable()
    if not fits:
        raise ValueError("the user id is not 1 to 256 printable characters")
    email = fields.get("email")
    if not isinstance(email, str) or len(email) > _LONGEST_EMAIL or not email.isprintable():
        email = None
    return User(str(user_id), email or None, _roles(fields))


def _roles(fields: Mapping[str, object]) -> tuple[str, ...]:
    listed = fields.get("roles")
    names = list(listed[:_MOST_ROLES]) if isinstance(listed, list) else [listed]
    names.append(fields.get("role"))
    # Leaving out a name that no role can have only ever takes rights away.
    roles = [role for role in names if isinstance(role, str) and 0 < len(role) <= _LONGEST_ROLE]
    return tuple(dict.fromkeys(roles))
