"""Who may do what here: customers, their people and domains, operators."""
