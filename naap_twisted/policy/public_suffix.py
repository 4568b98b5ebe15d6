"""The Public Suffix List, private section included: names below which anybody may register.

The list is the dated one that the package ``publicsuffixlist`` carries; nothing is fetched. It is
read when the first allow list is checked and not on import, because reading takes long.
"""

from __future__ import annotations

from functools import cache
from typing import Any


def is_public_suffix(name: str) -> bool:
    """Whether *name*, lower case and in A-label form, is itself a public suffix (``github.io``)."""
    return bool(_rules().is_public(name))


def is_registry_suffix(name: str) -> bool:
    """Whether *name* is a suffix below which a registry gives out names: ``co.uk``.

    Unlike :func:`is_public_suffix` it leaves out what companies give out below domains of their
    own, ``vercel.app``, under names that they make themselves.
    """
    return bool(_registries().is_public(name))


def site_of(host: str) -> str:
    """The registrable domain of *host*, which one party holds (HTML, "obtain a site").

    An address, ``localhost`` and a public suffix are sites of their own.

    :param host: lower case, in A-label form; an IPv6 address in brackets.

    >>> site_of("api.example.co.uk"), site_of("ada.github.io")
    ('example.co.uk', 'ada.github.io')
    """
    is_address = host.startswith("[") or host.rpartition(".")[2].isdigit()
    return host if is_address else str(_rules().privatesuffix(host) or host)


def public_suffix_below(name: str) -> str | None:
    """A public suffix under *name*, such as ``s3.amazonaws.com`` under ``amazonaws.com``.

    Strangers hold names there, so a rule for every subdomain of *name* would let them in.
    """
    return _first_below().get(name)


@cache
def _rules() -> Any:
    from publicsuffixlist import PublicSuffixList

    return PublicSuffixList()


@cache
def _registries() -> Any:
    from publicsuffixlist import PublicSuffixList

    return PublicSuffixList(only_icann=True)


@cache
def _first_below() -> dict[str, str]:
    """For every proper parent of a listed suffix, the first suffix that the list has below it."""
    from publicsuffixlist import PSLFILE

    below: dict[str, str] = {}
    with open(PSLFILE, encoding="utf-8") as lines:
        for line in lines:
            rule = line.split(maxsplit=1)[0] if line.strip() else "//"
            # "!city.kawasaki.jp" takes a name out of the list, for nobody registers below it.
            if rule.startswith(("//", "!")):
                continue
            name = rule.removeprefix("*.")
            suffix = name if name.isascii() else name.encode("idna").decode("ascii")
            parent = suffix
            while parent := parent.partition(".")[2]:
                below.setdefault(parent, suffix)
    return below
