"""What can be seen from outside: the log line of every exchange, health."""
