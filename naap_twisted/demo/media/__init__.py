"""A WHIP endpoint that receives media on loopback, by aiortc (the ``webrtc`` extra).

``session`` is one peer connection, ``endpoint`` the HTTP before it, ``fragment`` reads the body of
a PATCH, ``loopback`` keeps ICE on this machine, and ``run`` is the process of all that. The demo
starts it by ``process``, and its page asks ``status``.
"""
