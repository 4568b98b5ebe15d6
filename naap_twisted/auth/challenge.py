"""A challenge's answer, shown to the vendor that set it: Turnstile, hCaptcha or reCAPTCHA.

All three take the same form and give the same JSON: ``success``, ``hostname``, ``action`` and
``error-codes`` (developers.cloudflare.com/turnstile/get-started/server-side-validation,
docs.hcaptcha.com, developers.google.com/recaptcha/docs/verify). Each takes an answer once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from twisted.logger import Logger
from twisted.web.iweb import IAgent

from ..errors import ChallengeFailed, Unavailable
from ..secret import Secret
from .fetch import DOWN, Fetch, FetchFailed
from .strict_json import read_object

#: Calls on their way at once; each holds a connection for seconds where the vendor is slow.
MOST_CALLS = 200
_LIMIT = 16 * 1024
_LONGEST_SHOWN = 100
# What is no fault of the visitor's: a mistake in our config, and one of the vendor's.
_OURS = frozenset(("missing-input-secret", "invalid-input-secret", "sitekey-secret-mismatch"))
_THEIRS = frozenset(("internal-error",))


class Challenge:
    """Asks the vendor whether an answer is good.

    :param url: the vendor's ``siteverify``.
    :param secret: ours there.
    :param hostnames: of pages on which the challenge may have been; empty: any.
    :param action: what the page called it; ``""``: whatever.
    :param ca_file: PEM file of further trust anchors towards the vendor.
    :param agent: takes the place of Twisted's, for tests.
    """

    _log = Logger()

    def __init__(
        self,
        url: str,
        secret: Secret,
        hostnames: Sequence[str] = (),
        action: str = "",
        *,
        ca_file: str = "",
        reactor: Any = None,
        agent: IAgent | None = None,
    ) -> None:
        self._url = url
        self._secret = secret
        self._hostnames = frozenset(hostnames)
        self._action = action
        self._fetch = Fetch(reactor, limit=_LIMIT, ca_file=ca_file, agent=agent)
        self._running = 0

    async def check(self, answer: str, address: str) -> None:
        """Let whoever gives *answer* pass, or raise.

        :param address: the visitor's, which the vendor may compare; ``""``: it is not known.
        :raises ChallengeFailed: there is no answer, or the vendor says no.
        :raises Unavailable: the vendor can't be asked, or says nothing that is understood.
        """
        if not answer:
            raise ChallengeFailed("This needs the answer to a challenge", reason="no challenge")
        if self._running >= MOST_CALLS:
            raise Unavailable(DOWN, reason="challenges: too many answers are being looked at")
        self._running += 1
        try:
            document = await self._ask(answer, address)
        finally:
            self._running -= 1
        self._judge(document)

    async def _ask(self, answer: str, address: str) -> dict[str, Any]:
        form: dict[str, str | bytes] = {"secret": self._secret.reveal(), "response": answer}
        if address:
            form["remoteip"] = address
        try:
            status, body = await self._fetch.post(self._url, form)
            # Some vendors say no with a 400; nothing but a 200 ever says yes.
            if status not in (200, 400):
                raise FetchFailed(f"answered {status}")
            document = read_object(body)
            if status != 200 and document.get("success") is not False:
                raise FetchFailed(f"answered {status}")
        except (FetchFailed, ValueError) as error:
            shown = type(error).__name__ if type(error) not in (FetchFailed, ValueError) else error
            raise Unavailable(DOWN, reason=f"challenges: {shown}") from None
        return document

    def _judge(self, document: Mapping[str, Any]) -> None:
        codes = _codes_of(document)
        if document.get("success") is True:
            host = document.get("hostname")
            # A list has no place in a set of names, and is no name.
            if self._hostnames and (not isinstance(host, str) or host not in self._hostnames):
                shown = ascii(host)[:_LONGEST_SHOWN]
                raise ChallengeFailed(reason=f"a challenge of a page at {shown}")
            if self._action and document.get("action") != self._action:
                raise ChallengeFailed(reason="a challenge of another action")
            return
        if not _OURS.isdisjoint(codes):
            self._log.error("The vendor of challenges does not know verify_secret")
        if not (_OURS | _THEIRS).isdisjoint(codes):
            raise Unavailable(DOWN, reason=f"challenges: the vendor says {', '.join(codes)}")
        if document.get("success") is not False:
            raise Unavailable(DOWN, reason="challenges: an answer without success, true or false")
        said = ", ".join(codes)[:_LONGEST_SHOWN] or "no"
        raise ChallengeFailed(reason=f"the vendor of challenges says {said}")


def _codes_of(document: Mapping[str, Any]) -> tuple[str, ...]:
    listed = document.get("error-codes")
    codes = listed if isinstance(listed, list) else []
    return tuple(each for each in codes if isinstance(each, str) and each.isprintable())
