"""What we serve: customers, domains, entries and plans, with the change journal as their truth."""
