"""What operators see of the server: the log line of each exchange, and its health."""
