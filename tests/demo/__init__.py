"""Tests of the demo: its upstreams, its page and the service around them."""
