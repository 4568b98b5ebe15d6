"""What is measured. Each takes a :class:`Bench`, and gives plain values for the results file."""
