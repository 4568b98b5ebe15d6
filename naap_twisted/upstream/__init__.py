"""The API's side: vetted targets to connections, outbound requests to bytes, bytes to responses.

:mod:`.client` is the entry; :mod:`.pool` keeps connections, :mod:`.connector` makes them (through
:mod:`.resolver` and :mod:`.tls`), :mod:`.connection` speaks HTTP/1.1 on one, :mod:`.response` is
what the relay gets. :mod:`.agent` is the same behind Twisted's and treq's interfaces.
"""
