"""Mail comes in: from outside, and from users."""
