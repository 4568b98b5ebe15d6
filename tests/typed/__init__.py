"""What tests/test_types.py gives to a type checker: a plugin as its author writes it, and slips."""
