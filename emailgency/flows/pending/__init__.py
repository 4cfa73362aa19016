"""What waits, and what became of what does not wait any more, for people."""
