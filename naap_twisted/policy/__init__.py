"""Pure decisions about URLs, hosts, addresses and headers: what is allowed, and why not."""
