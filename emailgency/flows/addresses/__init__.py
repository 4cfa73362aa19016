"""What addresses are, and what becomes of them and of their mail."""
