"""Tests; the tree mirrors naap_twisted/."""
