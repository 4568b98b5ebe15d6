"""Tests of naap_twisted/page."""
