"""Tests for naap_twisted.policy.public_suffix."""

from __future__ import annotations

import os
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.policy.public_suffix import is_public_suffix, public_suffix_below, site_of


class PublicSuffixTests(SynchronousTestCase):
    """The packaged list, both sections."""

    def test_suffixes(self) -> None:
        """ICANN and private suffixes, wildcards and A-labels."""
        for name in ("com", "co.uk", "github.io", "s3.amazonaws.com", "foo.ck", "xn--55qx5d.cn"):
            with self.subTest(name):
                self.assertTrue(is_public_suffix(name))

    def test_held_names(self) -> None:
        """Names that one party holds, exceptions to a wildcard included."""
        for name in ("openai.com", "api.openai.com", "amazonaws.com", "www.ck", "foo.internal"):
            with self.subTest(name):
                self.assertFalse(is_public_suffix(name))

    def test_sites(self) -> None:
        """What one party holds; addresses, single labels and suffixes are sites of their own."""
        for host, site in (
            ("example.org", "example.org"),
            ("a.b.example.org", "example.org"),
            ("a.b.co.uk", "b.co.uk"),
            ("co.uk", "co.uk"),
            ("a.github.io", "a.github.io"),
            ("b.a.github.io", "a.github.io"),
            ("localhost", "localhost"),
            ("app.localhost", "app.localhost"),
            ("127.0.0.1", "127.0.0.1"),
            ("[::1]", "[::1]"),
        ):
            self.assertEqual(site_of(host), site)

    def test_below(self) -> None:
        """A domain with a public suffix below it gives one; a domain without gives nothing."""
        for name in ("amazonaws.com", "us-east-1.amazonaws.com", "jp"):
            with self.subTest(name):
                below = public_suffix_below(name)
                assert below is not None
                self.assertTrue(below.endswith("." + name))
                self.assertTrue(is_public_suffix(below))
        for name in ("openai.com", "ck", "www.ck", "s3.amazonaws.com.evil.example"):
            with self.subTest(name):
                self.assertIsNone(public_suffix_below(name))

    def test_import_reads_nothing(self) -> None:
        """Importing the policy does not load the list."""
        code = "import sys, naap_twisted.policy.egress; sys.exit('publicsuffixlist' in sys.modules)"
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            timeout=30,
            check=False,
        )
        self.assertEqual((done.returncode, done.stderr), (0, b""))
