"""Bounds on requests: rates, in memory or in Redis, and the number of exchanges in flight."""
