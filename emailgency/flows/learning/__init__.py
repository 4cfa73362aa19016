"""Which addresses a customer's server has (product row G5)."""
