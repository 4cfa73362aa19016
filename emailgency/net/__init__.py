"""What we ask others: DNS, SMTP couriers, TLS."""
