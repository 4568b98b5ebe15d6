"""Keys are put into targets on their way out, and nowhere else."""

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.errors import InvalidTarget
from naap_twisted.policy.target import PinnedBase, parse_target
from naap_twisted.route.sealing import Sealing
from naap_twisted.secret import Secret

KEY = "canary-key/+&=?# %of it"
SEALING = Sealing({"key": Secret(KEY, "env:KEY"), "api version": Secret("2024-10-21", "config")})
OWN = "key=canary-key%2F%2B%26%3D%3F%23%20%25of%20it&api%20version=2024-10-21"


def target(path_and_query):
    return parse_target(f"https://a.example{path_and_query}".encode())


class SealingTests(SynchronousTestCase):
    def test_sealed(self):
        """The page's bytes as they came, then the server's own, encoded."""
        for page, sealed in (
            ("/", f"/?{OWN}"),
            ("", f"/?{OWN}"),
            ("/p?", f"/p?{OWN}"),
            ("/p?a=%2f+b&c", f"/p?a=%2f+b&c&{OWN}"),
            ("/p?a&", f"/p?a&{OWN}"),
            ("/p?a=?", f"/p?a=?{OWN}"),
            ("//x/%2F;v=1?q", f"//x/%2F;v=1?q&{OWN}"),
        ):
            secret = SEALING.seal(target(page))
            self.assertEqual(secret.reveal().decode(), sealed, page)
            self.assertNotIn("canary", repr(secret))

    def test_text(self):
        """Plain text of any language is UTF-8, percent-encoded."""
        sealing = Sealing({"st\u00e4dte": Secret("Z\u00fcrich", "config")})
        self.assertEqual(sealing.seal(target("/")).reveal(), b"/?st%C3%A4dte=Z%C3%BCrich")

    def test_refused(self):
        """A page's own; the message names the parameter as the config does, without the value."""
        for page in ("/?key=mine-7f3a", "/?%4bEY[]=mine-7f3a", "/?x&api%5Fversion=mine-7f3a"):
            error = self.assertRaises(InvalidTarget, SEALING.refuse_own, target(page))
            self.assertIn("The server sets the query parameter", error.message)
            self.assertNotIn("7f3a", error.message + error.reason)
        SEALING.refuse_own(target("/key?q=key"))

    def test_cleaned(self):
        """An upstream's URL that repeats them."""
        self.assertEqual(SEALING.cleaned(target("/p?a&key=old")), target("/p?a"))
        same = target("/p?a")
        self.assertIs(SEALING.cleaned(same), same)

    def test_base(self):
        """A pinned base's secrets, alone and before a query."""
        base = PinnedBase.parse("https://a.example/s/${env:HOOK}", [Secret("canary-hook")])
        page = base.join(b"/x?q=%2f")
        for query, own in (({}, ""), ({"key": Secret("k", "env:KEY")}, "&key=k")):
            sealing = Sealing(query, base)
            secret = sealing.seal(page)
            self.assertEqual(secret.reveal().decode(), f"/s/canary-hook/x?q=%2f{own}")
            opened = sealing.opened(page)
            self.assertEqual(opened.url, "https://a.example/s/canary-hook/x?q=%2f")
            self.assertNotIn("canary", repr((secret, opened, page.url)))
        self.assertIs(SEALING.opened(page), page)

    def test_shown(self):
        """Neither form of it has a key."""
        self.assertNotIn("canary", f"{SEALING} {SEALING!r}")
