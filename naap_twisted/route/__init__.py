"""One route: from its options to the answer. :mod:`.spine` is the place to start reading."""
