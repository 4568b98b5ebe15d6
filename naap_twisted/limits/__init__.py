"""Rate limiters: one interface (IRateLimiter), an embedded store and a shared one."""
