"""What the DNS says of customers' domains."""
