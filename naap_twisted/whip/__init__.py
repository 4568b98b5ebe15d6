"""WebRTC sessions through the proxy (WHIP, RFC 9725; WHEP too): their URLs, signed for one user."""
