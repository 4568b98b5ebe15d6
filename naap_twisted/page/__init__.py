"""The page a browser developer opens: its files, packaged; the demo and the admin port serve it."""
