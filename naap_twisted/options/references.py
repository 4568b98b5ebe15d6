"""``"package.module:name"`` to the object that it names."""

from __future__ import annotations

import importlib
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
        found: Any = importlib.import_module(module_name)
    except ConfigError:
        raise
    except Exception as error:
        raise ConfigError(
            f"cannot import {module_name}: {type(error).__name__}: {error}{_place(error)}"
        ) from error
    for attribute in name.split("."):
        if not hasattr(found, attribute):
            raise ConfigError(f"{module_name} has no {name}")
        found = getattr(found, attribute)
    return found


def _place(error: BaseException) -> str:
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    if frame is None or frame.tb_frame.f_code.co_filename.startswith("<frozen"):
        return ""
    return f" ({frame.tb_frame.f_code.co_filename}, line {frame.tb_lineno})"
