"""Stock clients of other people, unmodified but for the base URL, through a provider's route."""
