"""Ways to start: the twistd plugin, the command line, a config file to a server."""
