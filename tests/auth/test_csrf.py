"""The double-submit rule."""

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.auth.csrf import check_csrf
from naap_twisted.errors import CsrfFailed


class CheckCsrf(SynchronousTestCase):
    def test_unsafe_methods(self):
        """One header, one cookie, equal and not empty; everything else is refused."""
        for sent, cookies, passes in [
            ([b"t0k"], [b"t0k"], True),
            ([b" t0k "], [b"t0k"], True),
            ([b"a+b"], [b"a%2Bb"], True),
            ([b"a%2Bb"], [b"a%2Bb"], True),
            ([b"t0k"], [b"t0K"], False),
            ([b"t0k"], [b"t0k2"], False),
            ([b"t0k2"], [b"t0k"], False),
            ([], [b"t0k"], False),
            ([b"t0k"], [], False),
            ([], [], False),
            ([b""], [b""], False),
            ([b" "], [b""], False),
            ([b"t0k", b"t0k"], [b"t0k"], False),
            ([b"t0k"], [b"t0k", b"t0k"], False),
            ([b"evil"], [b"evil", b"t0k"], False),
            ([b"\xff"], [b"t0k"], False),
        ]:
            for method in (b"POST", b"PUT", b"PATCH", b"DELETE", b"PROPFIND", b"get"):
                with self.subTest(sent=sent, cookies=cookies, method=method):
                    if passes:
                        check_csrf(method, sent, cookies)
                    else:
                        error = self.assertRaises(CsrfFailed, check_csrf, method, sent, cookies)
                        self.assertNotIn("t0k", error.reason + error.message)

    def test_safe_methods(self):
        """Reading needs no CSRF token (RFC 9110 section 9.2.1)."""
        for method in (b"GET", b"HEAD", b"OPTIONS"):
            check_csrf(method, [], [])
