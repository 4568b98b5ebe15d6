"""The option ``oauth2``."""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.options.oauth2 import client_credentials
from naap_twisted.options.values import Surroundings

AROUND = Surroundings(Path("/"), {"S": "from-the-environment"})
GOOD = {"token_url": "https://id.example/t", "client_id": "me", "client_secret": "${env:S}"}


class ClientCredentialsTests(SynchronousTestCase):
    def test_read(self):
        client = client_credentials({**GOOD, "scope": "a b", "auth": "body"}, AROUND)
        self.assertEqual(client.client_secret.reveal(), b"from-the-environment")
        self.assertEqual((client.scope, client.audience, client.auth), ("a b", "", "body"))
        self.assertIs(client_credentials(client, AROUND), client)
        self.assertIs(client_credentials(None, AROUND), None)

    def test_every_problem_is_told(self):
        with self.assertRaises(ValueError) as caught:
            client_credentials({**GOOD, "client_id": "", "token_url": "id", "auth": "x"}, AROUND)
        flaws = dict(caught.exception.flaws)
        self.assertEqual(set(flaws), {".token_url", ".client_id", ".auth"})

    def test_nothing_is_quoted(self):
        with self.assertRaises(ValueError) as caught:
            client_credentials({**GOOD, "token_url": "https://u:hunter2@id.example/"}, AROUND)
        self.assertNotIn("hunter2", str(caught.exception))
