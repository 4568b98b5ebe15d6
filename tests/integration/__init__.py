"""The whole proxy over real sockets on loopback; a canary key watches every test."""
