"""Every spelling of a path, by what the route opens: pure functions and sockets share the table.

A row's target is what follows a pinned base, query included, as it is on the wire. A refusal may be
ENDPOINT_NOT_ALLOWED, or an earlier one of a target that no route takes.
"""

from __future__ import annotations

from typing import NamedTuple


class Spelling(NamedTuple):
    """A request, and whether a route with these patterns lets it through.

    :ivar slashes: the route has ``encoded_slashes = true``.
    """

    patterns: tuple[str, ...]
    method: str
    target: str
    allowed: bool
    slashes: bool = False


CHAT = ("POST /chat/completions",)
FILES = ("GET /files/*",)
DEEP = ("GET /files/**",)
MODELS = ("GET /models/gpt-4*",)
GEMINI = ("POST /models/*:generateContent",)
MIXED = (
    *("GET /a/b", "GET /a/*/c", "GET /a/b*/d", "GET /a/**", "POST /a/*/e", "DELETE /a/b"),
    *("GET /", "PUT /slash/", "GET /caf\u00e9", "GET /.well-known/jwks.json"),
)

_ALLOWED: dict[tuple[str, ...], str] = {
    CHAT: """
        POST /chat/completions
        POST /chat/completions?
        POST /chat/completions?x=1&y=/../..
        POST /chat/completions?x=%2e%2e%2f
        POST /chat/c%6fmpletions
        POST /chat/c%6Fmpletions
        POST /%63%68%61%74/completions
        POST /chat/completion%73
    """,
    FILES: """
        GET /files/a
        HEAD /files/a
        GET /files/file-abc123
        GET /files/a.b
        GET /files/...
        GET /files/..a
        GET /files/a..
        GET /files/.a
        GET /files/a%20b
        GET /files/a%2Eb
        GET /files/a%3Ab
        GET /files/a:b@c
        GET /files/a%25b
        GET /files/%E2%82%AC
        GET /files/%ff
        GET /files/a;b
        GET /files/a;b=c
        GET /files/a%3Bb
        GET /files/a%253Bb
        GET /files/a%3Fb
        GET /files/a%23b
        GET /files/*
        GET /files/%2A
        GET /files/-_~!$&'()+,=
        GET /files/a%2541
        GET /files/a?/../b
    """,
    DEEP: """
        GET /files/a
        GET /files/a/b
        GET /files/a/b/c/d/e/f
        GET /files/a%20b/c
        GET /files/a;b/c
    """,
    MODELS: """
        GET /models/gpt-4
        GET /models/gpt-4o
        GET /models/gpt-4o-mini
        GET /models/gpt%2D4o
        GET /models/gpt-4%20x
        HEAD /models/gpt-4o
    """,
    GEMINI: """
        POST /models/gemini-2.0-flash:generateContent
        POST /models/gemini-2.0-flash%3AgenerateContent
        POST /models/a:b:generateContent
        POST /models/:generateContent
    """,
    MIXED: """
        GET /
        HEAD /
        GET /?x=1
        GET /a/b
        GET /a/x
        GET /a/x/c
        GET /a/b/c
        GET /a/bb/d
        GET /a/b/d
        GET /a/b/e
        POST /a/b/e
        DELETE /a/b
        PUT /slash/
        GET /caf%C3%A9
        GET /caf%c3%a9
        GET /.well-known/jwks.json
        GET /%2Ewell-known/jwks.json
    """,
}

_REFUSED: dict[tuple[str, ...], str] = {
    CHAT: """
        GET /chat/completions
        HEAD /chat/completions
        post /chat/completions
        Post /chat/completions
        PUT /chat/completions
        DELETE /chat/completions
        POST /
        POST /chat
        POST /chat/
        POST /completions
        POST /chat/completions/
        POST /chat/completions//
        POST /chat//completions
        POST //chat/completions
        POST /chat/completions/x
        POST /Chat/completions
        POST /chat/COMPLETIONS
        POST /chat/completionsx
        POST /chat/completion
        POST /chat/completions;x
        POST /chat/completions;
        POST /chat;x/completions
        POST /;x/chat/completions
        POST /chat/completions%3Bx
        POST /chat/completions%253Bx
        POST /chat/completions%3Fx
        POST /chat/completions%23x
        POST /chat/completions%00
        POST /chat/completions%00x
        POST /chat/completions%20
        POST /chat/completions%09
        POST /chat/completions%0A
        POST /chat/completions.
        POST /chat/completions.json
        POST /chat/completions*
        POST /chat/completions%2A
        POST /chat%2Fcompletions
        POST /chat%2fcompletions
        POST /chat%252Fcompletions
        POST /chat%5Ccompletions
        POST /chat\\completions
        POST \\chat\\completions
        POST /chat/./completions
        POST /./chat/completions
        POST /chat/completions/.
        POST /chat/x/../completions
        POST /x/../chat/completions
        POST /chat/completions/..
        POST /chat/completions/../../files
        POST /chat/completions/%2e%2e/%2e%2e/files
        POST /chat/c%256fmpletions
        POST /chat/c%25256fmpletions
        POST /chat/c%u006fmpletions
        POST /chat/c%6fmpletions%2F
        POST /chat/c%ef%bd%8fmpletions
        POST /chat/c%c1%afmpletions
        POST /chat/c%zzmpletions
        POST /chat/completions%
        POST https://api.example.com/chat/completions
        POST http://127.0.0.1/chat/completions
        POST chat/completions
        POST *
        POST %2Fchat/completions
    """,
    FILES: """
        DELETE /files/a
        GET /files
        GET /files/
        GET /files//
        GET /files//a
        GET //files/a
        GET /files/a/
        GET /files/a/b
        GET /FILES/a
        GET /files/.
        GET /files/..
        GET /files/%2e
        GET /files/%2e%2E
        GET /files/.%2e
        GET /files/%252e%252e
        GET /files/%25252e%25252e
        GET /files/%2525252525252e
        GET /files/..;
        GET /files/..;x
        GET /files/..%3Bx
        GET /files/.;x
        GET /files/%2e%2e%3bx
        GET /files/..%20
        GET /files/.%20.
        GET /files/..%09
        GET /files/%20
        GET /files/%20%20
        GET /files/;
        GET /files/;x
        GET /files/%3Bx
        GET /files/%253Bx
        GET /files/%3F
        GET /files/%23x
        GET /files/a%2Fb
        GET /files/a%2fb
        GET /files/a%252Fb
        GET /files/a%25252Fb
        GET /files/a%2F
        GET /files/%2F
        GET /files/..%2Fadmin
        GET /files/a%5Cb
        GET /files/a%255Cb
        GET /files/a\\b
        GET /files/..\\admin
        GET /files/a%00
        GET /files/%00
        GET /files/a%2500
        GET /files/a%0D%0AHost:%20b
        GET /files/a%0a
        GET /files/a%250a
        GET /files/a%7F
        GET /files/a%c0%afb
        GET /files/%c0%ae%c0%ae
        GET /files/%e0%80%ae
        GET /files/%f0%80%80%af
        GET /files/%u002e%u002e
        GET /files/a%u2215b
        GET /files/%EF%BC%8E%EF%BC%8E
        GET /files/a%EF%BC%8Fb
        GET /files/a%EF%BC%BCb
        GET /files/%E2%80%A5
        GET /files/a#b
        GET /files?/a
        GET /files%3F/a
        GET /files;/a
        GET /files;x/a
    """,
    DEEP: """
        GET /files
        GET /files/
        GET /files/a/
        GET /files/a//b
        GET /files//a
        GET /files/a/../b
        GET /files/a/./b
        GET /files/a/..
        GET /files/a/%2e%2e/b
        GET /files/a/%252e%252e/b
        GET /files/a/..;/b
        GET /files/a%2Fb
        GET /files/a/;x
        GET /files/a/;x/b
        GET /files/%23/a
        GET /filesystem/a
        POST /files/a
    """,
    MODELS: """
        GET /models/gpt-3
        GET /models/xgpt-4
        GET /models/GPT-4
        GET /models/gpt-4/x
        GET /models/gpt-4%2Fx
        GET /models/gpt-4o/
        GET /models/gpt-;4o
        GET /models/gpt%3B-4o
        GET /models/gpt%252D4o
        GET /models/gpt%23-4
        GET /models/
    """,
    GEMINI: """
        POST /models/gemini-2.0-flash:streamGenerateContent
        POST /models/gemini-2.0-flash:generateContentx
        POST /models/gemini-2.0-flash:generatecontent
        POST /models/gemini-2.0-flash:generateContent;x
        POST /models/x;:generateContent
        POST /models/x:countTokens;:generateContent
        POST /models/x:countTokens%3B:generateContent
        POST /models/x:countTokens%3F:generateContent
        POST /models/x:countTokens%23:generateContent
        POST /models/x:countTokens%00:generateContent
        POST /models/x%2Fy:generateContent
        POST /models/x%253AgenerateContent
    """,
    MIXED: """
        POST /
        GET /b
        POST /a/b
        POST /a/b/c
        POST /a/b/c/e
        DELETE /a/x
        DELETE /a
        GET /a
        GET /a/b/
        GET //
        PUT /slash
        PUT /slash//
        PUT /slash/%2F
        GET /slash/
        GET /cafe%CC%81
        GET /caf%E9
        GET /.well-known/
        GET /%252Ewell-known/jwks.json
        PATCH /a/b
    """,
}


def _rows(
    table: dict[tuple[str, ...], str], allowed: bool, *, slashes: bool = False
) -> list[Spelling]:
    rows = []
    for patterns, lines in table.items():
        for line in filter(None, map(str.strip, lines.splitlines())):
            method, _, target = line.partition(" ")
            rows.append(Spelling(patterns, method, target, allowed, slashes))
    return rows


PROJECT = ("GET /projects/*/files",)
SPELLINGS = [
    *_rows(_ALLOWED, True),
    *_rows(_REFUSED, False),
    # With encoded_slashes a star takes them; a dot segment stays one, and a literal has none.
    *_rows(
        {
            PROJECT: """
                GET /projects/group%2Fname/files
                GET /projects/group%2fname%2Fdeep/files
                GET /projects/https%3A%2F%2Fexample.com%2F/files
                GET /projects/a%252Fb/files
                GET /projects/name/files
            """,
            DEEP: "GET /files/a%2Fb/c",
            MODELS: "GET /models/gpt-4%2Fx",
        },
        True,
        slashes=True,
    ),
    *_rows(
        {
            PROJECT: """
                GET /projects/a/b/files
                GET /projects%2Fa/files
                GET /projects/a%2Ffiles
                GET /projects/%2E%2E%2Fa/files
                GET /projects/a%2F..%2Fb/files
                GET /projects/a%2F../files
                GET /projects/a%2F%2E/files
                GET /projects/a%252F%252e%252e/files
                GET /projects/a%2F..%3Bx/files
                GET /projects/a%5Cb/files
                GET /projects/a%EF%BC%8Fb/files
                GET /projects/a%00%2F/files
            """,
            CHAT: "POST /chat%2Fcompletions",
        },
        False,
        slashes=True,
    ),
]
