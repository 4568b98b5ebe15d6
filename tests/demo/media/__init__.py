"""The media endpoint, with a publisher of aiortc's own; ICE stays on 127.0.0.1."""
