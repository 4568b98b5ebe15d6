"""Who calls: the first door and the authenticators behind it."""
