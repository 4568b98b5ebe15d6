"""A WHIP endpoint with real media (aiortc, the ``webrtc`` extra); loopback only, its own process.

``fragment`` reads what a PATCH brings, ``loopback`` keeps ICE on this machine, ``session`` is one
peer connection, ``endpoint`` speaks HTTP, ``run`` is its process; ``process`` starts that for the
demo, and ``status`` tells its page of it.
"""
