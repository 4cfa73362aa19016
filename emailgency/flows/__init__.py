"""What happens: one file per deed, in the customer's words."""
