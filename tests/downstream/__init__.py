"""The browser side by scripted transports and a clock."""
