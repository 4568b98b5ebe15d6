"""HTTP/1.1 framing without I/O, for downstream and upstream alike (RFC 9112).

:mod:`.fields` reads header sections, :mod:`.head` request and response heads, :mod:`.body` bodies,
and :mod:`.codings` undoes content codings. All of them reject and never repair: what two parsers
could read in two ways is an error, because behind a proxy that difference is an attack (request
smuggling). What is odd and has one meaning is read where an upstream sent it, and marked, so that
nothing behind it is.
"""
