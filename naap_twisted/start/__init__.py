"""The ways to start: the twistd plugin, the command line, from a config to a server."""
