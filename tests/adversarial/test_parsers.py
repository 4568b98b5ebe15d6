"""Every URL that we accept means the same to the parsers of others: Ada's, and both of Node's."""

import json
import random
import re
import shutil
import subprocess

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from naap_twisted.errors import InvalidTarget
from naap_twisted.model import DEFAULT_PORTS
from naap_twisted.policy.hostname import parse_host
from naap_twisted.policy.target import parse_target

from .addresses_vectors import LITERALS, V4, V6
from .targets_vectors import TARGETS

try:
    import ada_url
except ImportError:
    ada_url = None

# What URL parsers fell over before, and what good URLs are made of.
_PIECES = """
a b. api example com 1 0 127 80 65535 443 0x7f 08 e9 xn-- xn--bcher-kva xn--zca xn--a
xn--80ak6aa92e XN--MGBA3A4FRA --- r3---sn . .. - _ ~ * ! $ ' ( + , ; = & | ^ ` / //
\\ ? # @ : :80 :443 :0 :: [ ] [::1] [::ffff:7f00:1] % %2e %2E%2e %2f %5c %00 %0d%0a
%25 %40 %zz /. /.. /... /; " < > { } http:// https: \u00e9 \u00df \u3002 \uff0e
\uff21 \u2460 \u00ad \u200d \u0130 \u2488 \u017f \u212a \0 \x7f
"""
PIECES = (*_PIECES.split(), "\t", "\r", "\n", "\x0b", " ")
SCHEMES = ("http://", "https://", "HTTP://", "hTTpS://")

_NODE = """
const read = (url) => {
  let parsed = null, legacy = null;
  try {
    const u = new URL(url);
    parsed = [u.protocol, u.hostname, u.port, u.pathname];
  } catch { }
  try {
    const u = require("url").parse(url);
    legacy = [u.protocol, u.hostname, u.port || "", (u.pathname || "/")];
  } catch { }
  return [parsed, legacy];
};
const urls = JSON.parse(require("fs").readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(urls.map(read)));
"""


def accepted(url):
    """What we make of *url*: scheme, host, port and path; ``None`` if we refuse it."""
    try:
        target = parse_target(url.encode("utf-8", "surrogatepass"))
    except InvalidTarget:
        return None
    path = escaped(target.path_and_query.partition("?")[0])
    return target.scheme, target.host, target.port, path


def as_ours(protocol, hostname, port, path):
    """Another parser's words in ours."""
    scheme = protocol.removesuffix(":")
    host = hostname.removeprefix("[").removesuffix("]").removesuffix(".")
    if ":" in host:  # the older of Node's parsers leaves leading zeros
        host = parse_host(f"[{host}]")
    return scheme, host, int(port or DEFAULT_PORTS[scheme]), escaped(path)


def escaped(path):
    """*path* as browsers escape it: what they send as it is, and what others do not escape."""
    return re.sub('["<>^`{|}]', lambda found: f"%{ord(found[0]):02X}", path)


def collected(count):
    """Many URLs that we accept: the tables' own and their mutants, always the same ones."""
    dice = random.Random(20_26)
    seeds = [row.url.decode("latin-1") for row in TARGETS]
    seeds = [re.sub(r"\{(up|sentinel)\}", "8080", url) for url in seeds]
    seeds += [f"http://{host}:8080/v1" for host in (*LITERALS, *V4, *(f"[{v6}]" for v6 in V6))]
    seeds += [f"https://{host}/a?b" for host in ("r3---sn.example", "xn--zca.example", "a.b.c.d.e")]
    found = {url for url in seeds if accepted(url)}
    pool = sorted(found)
    while len(found) < count:
        url = dice.choice(pool)
        at = dice.randrange(4, len(url) + 1)
        mutant = url[:at] + dice.choice(PIECES) + url[at + dice.randrange(2) :]
        if accepted(mutant) and mutant not in found:
            found.add(mutant)
            pool.append(mutant)
    return sorted(found)


class AdaTests(SynchronousTestCase):
    """ada-url: the WHATWG parser of Node and others, in C++."""

    def setUp(self):
        if ada_url is None:
            raise SkipTest("ada-url is not installed; it comes with the test extra")

    def same(self, url):
        """Ada reads scheme, host, port and path as we do."""
        ours = accepted(url)
        if ours is not None:
            theirs = ada_url.URL(url)
            parts = (theirs.protocol, theirs.hostname, theirs.port, theirs.pathname)
            self.assertEqual(as_ours(*parts), ours, url)

    @settings(max_examples=1500, deadline=None, derandomize=True, database=None)
    @given(st.sampled_from(SCHEMES), st.lists(st.sampled_from(PIECES), max_size=8))
    def test_pieces(self, scheme, pieces):
        """Whatever the pieces make."""
        self.same(scheme + "".join(pieces))

    @settings(max_examples=1500, deadline=None, derandomize=True, database=None)
    @given(
        st.lists(st.from_regex(r"[a-z0-9-]{1,12}", fullmatch=True), min_size=1, max_size=5),
        st.text(max_size=3),
        st.from_regex(r"(/[!-~]{0,12})?(\?[!-~]{0,8})?", fullmatch=True),
    )
    def test_almost_names(self, labels, odd, rest):
        """Names with something odd in them, and any path."""
        self.same(f"https://{'.'.join(labels)}{odd}{rest}")
        self.same(f"https://{'.'.join(labels)}{rest}")

    @settings(max_examples=1000, deadline=None, derandomize=True, database=None)
    @given(st.text("0123456789abcdefx.:[]", min_size=1, max_size=24))
    def test_almost_addresses(self, text):
        """Numbers, as addresses of either family are made of them."""
        self.same(f"http://{text}/")
        self.same(f"http://[{text}]/")
        self.same(f"http://127.0.0.{text}/")

    def test_collected(self):
        """The tables and their mutants."""
        for url in collected(1000):
            self.same(url)


class NodeTests(SynchronousTestCase):
    """Node's ``new URL()``, and ``url.parse()``, which much code still uses."""

    def test_collected(self):
        """One run of node for all of them."""
        node = shutil.which("node")
        if node is None:
            raise SkipTest("node is not installed: its URL parsers were not asked")
        urls = collected(1000)
        done = subprocess.run(
            [node, "-e", _NODE], input=json.dumps(urls).encode(), capture_output=True, timeout=60
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        answers = json.loads(done.stdout)
        self.assertEqual(len(answers), len(urls))
        for url, parsers in zip(urls, answers, strict=True):
            for theirs in parsers:
                self.assertIsNotNone(theirs, url)
                self.assertEqual(as_ours(*theirs)[:3], accepted(url)[:3], url)
            self.assertEqual(escaped(parsers[0][3]), accepted(url)[3], url)
