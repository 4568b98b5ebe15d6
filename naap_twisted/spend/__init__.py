"""What each user spent on each route in a month: requests, bytes, answers, a model's tokens."""
