"""HTTP/1.1 framing without I/O, for both wings (RFC 9112).

Bytes in, values out: :mod:`.fields` reads header blocks, :mod:`.head` request and response heads,
:mod:`.body` bodies. Everything here rejects and never repairs: what two parsers could read in two
ways is an error, because a proxy is exactly the place where that difference is an attack.
"""
