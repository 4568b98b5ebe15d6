"""HTTP/1.1 framing by tables, and by any split of the bytes."""
