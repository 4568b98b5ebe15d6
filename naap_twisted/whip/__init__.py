"""WebRTC sessions (WHIP, RFC 9725; WHEP): their URLs are signed, each for one user."""
