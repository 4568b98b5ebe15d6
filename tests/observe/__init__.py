"""What is seen of the service: records, the log, health."""
