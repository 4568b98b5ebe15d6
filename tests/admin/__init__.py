"""Tests of naap_twisted/admin."""
