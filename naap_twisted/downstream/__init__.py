"""The browser's side: connections are accepted, requests framed, answers carried back.

:mod:`.site` is the factory of connections, :mod:`.channel` one connection, :mod:`.request` one
exchange on it, and :mod:`.body` its request body as a stream with back-pressure.
"""
