"""Where tokens stand, and what is none."""

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.auth.credentials import (
    MAX_TOKEN,
    CredentialReader,
    present_before_users,
)
from naap_twisted.errors import ConfigError, CsrfFailed, InvalidToken
from naap_twisted.model import TokenPlace
from tests.support import FakeRequest

COOKIE = "naap_auth_token=c00kie"


def read(headers, method=b"GET", **names):
    return CredentialReader(**names).read(FakeRequest(method, headers=headers))


class Bearer(SynchronousTestCase):
    def test_taken(self):
        """One token, any spelling of the scheme; the cookie beside it does not count."""
        for headers in (
            {"Authorization": "Bearer t.0-k~e+n/="},
            {"authorization": "bearer  t.0-k~e+n/= "},
            {"Authorization": "BEARER t.0-k~e+n/=", "Cookie": COOKIE},
        ):
            self.assertEqual(read(headers, b"POST"), b"t.0-k~e+n/=")

    def test_refused(self):
        """A header that is not one bearer token is never passed over for the cookie."""
        for value in (
            *("Bearer", "Bearer ", "Basic YTpi", "t0ken", "", "Bearer a b", 'Bearer "a"'),
            *("Bearer a,b", "Bearer \xe9", "Bearer\ta", "Bearer a;b"),
            ["Bearer a", "Bearer a"],
            ["Bearer a", "Basic b"],
        ):
            with self.subTest(value=value):
                headers = {"Authorization": value, "Cookie": COOKIE}
                self.assertRaises(InvalidToken, read, headers)

    def test_length(self):
        """Up to 8 KB."""
        fine = "a" * MAX_TOKEN
        self.assertEqual(read({"Authorization": f"Bearer {fine}"}), fine.encode())
        self.assertRaises(InvalidToken, read, {"Authorization": f"Bearer {fine}a"})
        self.assertRaises(InvalidToken, read, {"Cookie": f"naap_auth_token={fine}a"})

    def test_nothing(self):
        """No credentials are not bad ones."""
        for headers in ({}, {"Cookie": "other=1"}, {"Cookie": ""}):
            self.assertIsNone(read(headers, b"POST"))


class Cookies(SynchronousTestCase):
    def test_safe(self):
        """A read needs the session cookie alone."""
        self.assertEqual(read({"Cookie": f"a=b; {COOKIE}; c=d"}), b"c00kie")
        self.assertEqual(read({"Cookie": "naap_auth_token=a%2Fb"}), b"a/b")

    def test_csrf(self):
        """An unsafe request needs X-CSRF-Token beside it."""
        both = {"Cookie": f"{COOKIE}; naap_csrf_token=x1"}
        self.assertEqual(read({**both, "X-CSRF-Token": "x1"}, b"POST"), b"c00kie")
        for headers in (both, {**both, "X-CSRF-Token": "x2"}, {"Cookie": COOKIE}):
            self.assertRaises(CsrfFailed, read, headers, b"POST")

    def test_repeated(self):
        """Two session cookies: one of them may be a sibling domain's."""
        for cookies in (f"{COOKIE}; {COOKIE}", [COOKIE, COOKIE], f"{COOKIE}; naap_auth_token="):
            self.assertRaises(InvalidToken, read, {"Cookie": cookies})

    def test_values(self):
        """What no token is."""
        for value in ("", '"quoted"', "a%20b", "a%00", "a%0d%0a", "%C3%A9"):
            self.assertRaises(InvalidToken, read, {"Cookie": f"naap_auth_token={value}"})

    def test_names(self):
        """Other names; none at all turns cookies off."""
        names = {"session_cookie": "s", "csrf_cookie": "x"}
        headers = {"Cookie": "s=1; x=2", "X-CSRF-Token": "2"}
        self.assertEqual(read(headers, b"POST", **names), b"1")
        self.assertIsNone(read({"Cookie": COOKIE}, **names))
        self.assertIsNone(read({"Cookie": COOKIE}, session_cookie=""))

    def test_impossible_names(self):
        """Refused where they are given."""
        for names in (("a b", "c"), ("a", "c;"), ("a", ""), ("a", "a")):
            self.assertRaises(ConfigError, CredentialReader, *names)


class BesideUsers(SynchronousTestCase):
    PLACE = TokenPlace((b"apikey",), users=True)

    def test_table(self):
        """The header has the caller's token; Authorization the upstream's user, or the token again.

        Nothing of the caller's is left for the upstream.
        """
        for headers, token, users in (
            ({"apikey": "t"}, b"t", []),
            ({"apikey": "t", "Authorization": "Bearer t"}, b"t", []),
            ({"apikey": "t", "Authorization": "bearer  t"}, b"t", []),
            ({"apikey": "t", "Authorization": "Bearer bo"}, b"t", [b"Bearer bo"]),
            ({"apikey": "t", "Authorization": "Basic t"}, b"t", []),
            ({"apikey": "t", "Authorization": "t"}, b"t", []),
            ({"apikey": "t", "Authorization": "Bearer bo, Bearer t"}, b"t", []),
            ({"apikey": "t", "Authorization": "Bearer t0"}, b"t", [b"Bearer t0"]),
            ({"Authorization": "Bearer t"}, b"t", []),
            ({}, None, []),
        ):
            request = FakeRequest(headers=headers)
            self.assertEqual(present_before_users(request.requestHeaders, self.PLACE), users)
            self.assertEqual(CredentialReader().read(request), token)

    def test_repeated(self):
        """Two tokens are none, and neither is taken for a user's."""
        headers = {"apikey": ["t", "u"], "Authorization": ["Bearer u", "Bearer bo"]}
        request = FakeRequest(headers=headers)
        users = present_before_users(request.requestHeaders, self.PLACE)
        self.assertEqual(users, [b"Bearer bo"])
        self.assertRaises(InvalidToken, CredentialReader().read, request)
