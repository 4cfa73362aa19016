"""What was seen happen, and may be forgotten without harm to any message."""
