"""What may be asked, and why not: pure decisions about URLs, hosts and addresses."""
