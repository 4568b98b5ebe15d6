"""The API's side: it connects to vetted targets, sends outbound requests and reads responses.

:mod:`.client` is the entry. :mod:`.pool` keeps connections, :mod:`.connector` makes them through
:mod:`.lookups` and :mod:`.tls`, :mod:`.connection` speaks HTTP/1.1 on one, and the relay gets a
:mod:`.response`. :mod:`.agent` offers the same behind Twisted's and treq's interfaces.
"""
