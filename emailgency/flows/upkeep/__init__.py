"""What keeps the house in order: copies, repairs, and mail that is too old."""
