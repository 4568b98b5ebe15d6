"""Who asks: wrk for exchanges, clients of our own for event streams and slow readers."""
