"""The API side by scripted peers, a clock and real handshakes."""
