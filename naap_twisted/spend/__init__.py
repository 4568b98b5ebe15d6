"""What each user used of each route: requests, bytes, statuses, tokens; by month."""
