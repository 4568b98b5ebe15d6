"""Tests of keys that are made, fetched or renewed."""
