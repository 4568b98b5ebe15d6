"""What operators and developers see, and the public never does: readiness, metrics, the console."""
