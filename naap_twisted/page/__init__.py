"""The page for developers, which the demo and the admin port serve: its resources and files."""
