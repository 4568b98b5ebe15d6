"""``"package.module:name"`` to the object that it names."""

from __future__ import annotations

import importlib
import traceback
from operator import attrgetter
from typing import Any

from ..errors import ConfigError


def import_object(reference: str) -> Any:
    """The object that ``"package.module:name"`` names.

    :raises ConfigError: one line: not such a reference, no such module, no such name, or the
        module itself failed as it was imported.
    """
    module_name, _, name = reference.partition(":")
    if not module_name or not name:
        raise ConfigError(f'"{reference}" is not of the form package.module:name')
    try:
        module = importlib.import_module(module_name)
    except ConfigError:
        raise
    except Exception as error:
        *_, frame = traceback.extract_tb(error.__traceback__)
        # The import system itself is the place where there is no such module.
        frozen = frame.filename.startswith("<frozen")
        place = "" if frozen else f" ({frame.filename}, line {frame.lineno})"
        raise ConfigError(
            f"cannot import {module_name}: {type(error).__name__}: {error}{place}"
        ) from error
    try:
        return attrgetter(name)(module)
    except AttributeError:
        raise ConfigError(f"{module_name} has no {name}") from None
