"""Claims, each at its border."""

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.auth.claims import Expected, check_claims

NOW = 1_000_000.0
GOOD = {"exp": NOW + 60}
STRICT = Expected(audience=("api", "api2"), issuer="https://id.example", leeway=30.0)
OURS = {**GOOD, "aud": "api", "iss": "https://id.example"}


class CheckClaims(SynchronousTestCase):
    def test_fine(self):
        """Within the leeway, and what is not expected is not looked at."""
        for claims, expected in [
            (GOOD, Expected()),
            ({"exp": NOW - 29.9}, Expected()),
            ({"exp": int(NOW) + 1}, Expected(leeway=0)),
            ({**GOOD, "nbf": NOW + 30, "iat": NOW + 30}, Expected()),
            ({**GOOD, "nbf": NOW, "iat": NOW}, Expected(leeway=0)),
            ({**GOOD, "aud": "other", "iss": 3}, Expected()),
            (OURS, STRICT),
            ({**OURS, "aud": ["x", "api2"]}, STRICT),
        ]:
            with self.subTest(claims=claims):
                check_claims(claims, expected, NOW)

    def test_refused(self):
        """Times, audience and issuer, missing, wrong or of another type."""
        for claims, expected, reason in [
            ({}, Expected(), "no exp"),
            ({"exp": NOW - 30}, Expected(), "expired"),
            ({"exp": NOW}, Expected(leeway=0), "expired"),
            *(({"exp": bad}, Expected(), "exp") for bad in ("9999999999", None, True, [], {})),
            *(({"exp": bad}, Expected(), "exp") for bad in (10**400, float("inf"), float("nan"))),
            ({**GOOD, "nbf": NOW + 30.1}, Expected(), "nbf"),
            ({**GOOD, "iat": NOW + 30.1}, Expected(), "iat"),
            ({**GOOD, "nbf": "0"}, Expected(), "nbf"),
            ({**GOOD, "iat": None}, Expected(), "iat"),
            ({**OURS, "iss": "https://id.example/"}, STRICT, "iss"),
            ({**OURS, "iss": ["https://id.example"]}, STRICT, "iss"),
            ({**GOOD, "aud": "api"}, STRICT, "iss"),
            ({**OURS, "aud": "API"}, STRICT, "aud"),
            ({**OURS, "aud": ["a", "pi"]}, STRICT, "aud"),
            ({**OURS, "aud": [["api"]]}, STRICT, "aud"),
            ({**OURS, "aud": {"api": 1}}, STRICT, "aud"),
            ({**OURS, "aud": []}, STRICT, "aud"),
            ({**GOOD, "iss": "https://id.example"}, STRICT, "aud"),
        ]:
            with self.subTest(claims=claims):
                error = self.assertRaises(ValueError, check_claims, claims, expected, NOW)
                self.assertIn(reason, str(error))
