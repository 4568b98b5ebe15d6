"""Users' own API keys: sealed with a master key, behind IKeyStore."""
