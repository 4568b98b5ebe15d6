"""Keys written out in a config file: only the file's owner may be able to read it. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from ..auth.page_tokens import PageTokenOptions
from ..credentials.sigv4 import AwsSigV4
from ..options.injected import is_written_out
from ..options.option import options_of
from ..options.read import Problems
from ..options.secrets import LITERAL
from ..options.server import Config
from ..secret import Secret


def literal_keys(config: Config) -> Iterator[str]:
    """The place of each option whose value is a key and stands in the file."""
    for section in (config.auth, config.keys, config.redis, config.server):
        for key, option in options_of(type(section)).items():
            value = getattr(section, key)
            # A URL is a secret only where it holds a password.
            if _is_literal(value) and (value.has_password or not key.endswith("url")):
                yield option.place
    tokens = config.auth.page_tokens or PageTokenOptions()
    for index, issuer in enumerate(tokens.issuers):
        if _is_literal(issuer):
            yield f"auth.page_tokens.issuers[{index}]"
    if _is_literal(tokens.keys):
        yield "auth.page_tokens.keys"
    for key in ("keys", "verify_secret"):
        if _is_literal(getattr(config.auth.guests, key)):
            yield f"auth.guest.{key}"
    for index, route in enumerate(config.proxy):
        if _is_literal(route.key):
            yield f"proxy[{index}].key"
        for below, table in route.key_tables.items():
            for key, name, value in table.values():
                if is_written_out(name, value):
                    yield f"proxy[{index}].{below}{key}.{name}"
        if route.oauth2 is not None and _is_literal(route.oauth2.client_secret):
            yield f"proxy[{index}].oauth2.client_secret"
        if isinstance(route.sign, AwsSigV4) and _is_literal(route.sign.secret_key):
            yield f"proxy[{index}].sign.aws_sigv4.secret_key"


def _is_literal(value: object) -> bool:
    return isinstance(value, Secret) and value.source == LITERAL


def refuse_literals(config: Config, file: str, problems: Problems) -> None:
    """Note each key that is written out in *file*, which other users can read."""
    for path in literal_keys(config):
        problems.add(
            path,
            f"is a key written out in {file}, which other users of this machine can read;"
            f" write ${{env:NAME}} or ${{file:path}}, or run: chmod o-r {file}",
        )
