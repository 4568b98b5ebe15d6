"""Bodies, read strictly: what passes here, every upstream's reader takes for the same. Pure."""
