"""Tests of naap_twisted.storage."""
