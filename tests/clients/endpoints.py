"""What the SDKs of vendors ask for, read from their sources, and groups of endpoints beside it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path

from naap_twisted.options.provider import Provider
from naap_twisted.policy.endpoints import Endpoint, Endpoints

#: A part of a path that a call fills in, as the sources of an SDK or a pattern write it.
_FILLED = re.compile(r"\{.*\}|.*\*.*")
_CALL = r'"(GET|POST|PUT|PATCH|DELETE)"'


def covered(provider: Provider, method: str, path: str) -> bool:
    """Whether a group of *provider* has the endpoint of a call."""
    texts = (text for group in provider.endpoints.values() for text in group)
    opened = Endpoints([Endpoint.parse(text) for text in texts])
    return opened.match(method.encode("ascii"), "", path) is not None


def shape(text: str) -> str:
    """An endpoint with ``*`` for each segment that a call fills in."""
    method, _, path = text.partition(" ")
    parts = path.partition("?")[0].partition("#")[0].strip("/").split("/")
    return f"{method} /{'/'.join(_FILLED.sub('*', part) for part in parts)}"


def _sources(package: str, below: str) -> Iterator[str]:
    spec = find_spec(package)
    assert spec is not None
    for folder in spec.submodule_search_locations or ():
        for path in sorted(Path(folder).glob(below)):
            yield path.read_text(encoding="utf-8")


def _stainless(source: str) -> Iterable[str]:
    """``self._post("/chat/completions", ...)``."""
    call = r'self\._(get|post|put|patch|delete|get_api_list)\(\s*(?:path_template\(\s*)?f?"([^"]+)"'
    for found in re.finditer(call, source):
        listed = found[1] == "get_api_list"
        # A list that is asked for by a POST says so among its arguments.
        posted = listed and 'method="post"' in source[found.end() :][:1200].split("self._")[0]
        method = "POST" if posted else "GET" if listed else found[1].upper()
        yield f"{method} {found[2]}"


def _fern(source: str) -> Iterable[str]:
    """``httpx_client.request("v1/speak", method="POST")``."""
    call = r'httpx_client\.(?:request|stream)\(\s*f?"([^"]+)",(?:(?!httpx_client)[\s\S]){0,400}?'
    for found in re.finditer(rf"{call}method={_CALL}", source):
        yield f"{found[2]} {found[1]}"


def _speakeasy(source: str) -> Iterable[str]:
    """``method="POST", path="/v1/chat/completions"``."""
    for found in re.finditer(rf'method={_CALL},\s*path="([^"]+)"', source):
        yield f"{found[1]} {found[2]}"


def _stripes(source: str) -> Iterable[str]:
    """``self._request("post", "/v1/customers")``."""
    for found in re.finditer(r'self\._request\(\s*"(\w+)",\s*"([^"]+)"', source):
        yield f"{found[1].upper()} {found[2]}"


#: By provider: its SDK's package, the files of it that call, and what reads the calls of a file.
SDKS: Mapping[str, tuple[str, str, Callable[[str], Iterable[str]]]] = {
    "openai": ("openai", "resources/**/*.py", _stainless),
    "anthropic": ("anthropic", "resources/**/*.py", _stainless),
    "groq": ("groq", "resources/**/*.py", _stainless),
    "cohere": ("cohere", "**/raw_*client.py", _fern),
    "deepgram": ("deepgram", "**/raw_client.py", _fern),
    "elevenlabs": ("elevenlabs", "**/raw_client.py", _fern),
    "mistral": ("mistralai", "client/*.py", _speakeasy),
    "openrouter": ("openrouter", "*.py", _speakeasy),
    "stripe": ("stripe", "**/_*_service.py", _stripes),
}


def calls_of(provider: str) -> set[str]:
    """The shapes of all that a provider's SDK can ask for."""
    package, below, read = SDKS[provider]
    return {shape(call) for source in _sources(package, below) for call in read(source)}
