"""A page asks OpenAI; the key stays on the server."""
