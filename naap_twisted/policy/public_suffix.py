"""Names below which anybody may register: the Public Suffix List, private section included.

The list is the dated one that the package ``publicsuffixlist`` carries; nothing is fetched. It is
read once, when the first allow list is checked, never on import.
"""

from __future__ import annotations

from functools import cache
from typing import Protocol


class _List(Protocol):
    def is_public(self, domain: str) -> bool: ...

    def privatesuffix(self, domain: str) -> str | None: ...


def is_public_suffix(name: str) -> bool:
    """Whether *name*, lower case and in A-label form, is itself a public suffix (``github.io``)."""
    return _rules().is_public(name)


def site_of(host: str) -> str:
    """What one party holds of *host*: its registrable domain (HTML, "obtain a site").

    :param host: lower case, in A-label form, as a URL writes it: an IPv6 address in brackets. An
        address, ``localhost`` and a public suffix are sites of their own.
    """
    is_address = host.startswith("[") or host.rpartition(".")[2].isdigit()
    return host if is_address else (_rules().privatesuffix(host) or host)


def public_suffix_below(name: str) -> str | None:
    """A public suffix under *name*, such as ``s3.amazonaws.com`` under ``amazonaws.com``.

    Strangers hold names there, so a rule for every subdomain of *name* would take them in.
    """
    return _first_below().get(name)


@cache
def _rules() -> _List:
    from publicsuffixlist import PublicSuffixList

    loaded: _List = PublicSuffixList()
    return loaded


@cache
def _first_below() -> dict[str, str]:
    """Every proper parent of a listed suffix -> the first suffix the list has below it."""
    from publicsuffixlist import PSLFILE

    below: dict[str, str] = {}
    with open(PSLFILE, encoding="utf-8") as lines:
        for line in lines:
            rule = line.split(maxsplit=1)[0] if line.strip() else "//"
            # "!city.kawasaki.jp" takes a name out of the list: nobody registers below it.
            if rule.startswith(("//", "!")):
                continue
            suffix = _ascii(rule.removeprefix("*."))
            parent = suffix.partition(".")[2]
            while parent:
                below.setdefault(parent, suffix)
                parent = parent.partition(".")[2]
    return below


def _ascii(name: str) -> str:
    return name if name.isascii() else name.encode("idna").decode("ascii")
