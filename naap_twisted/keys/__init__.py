"""Users' own API keys, sealed with a master key; :class:`IKeyStore` is the seam to other stores."""
