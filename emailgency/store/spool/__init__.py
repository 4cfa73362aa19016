"""Mail that is accepted and not done yet: its records, what is live, what waits for a next hop."""
