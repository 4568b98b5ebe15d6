"""The browser's side: accepts connections, frames requests, carries answers back.

:mod:`.site` is the factory, :mod:`.channel` one connection, :mod:`.request` one exchange on it and
:mod:`.body` the request body as a stream with back-pressure.
"""
