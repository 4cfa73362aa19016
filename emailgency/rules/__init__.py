"""Facts -> verdict: pure functions that decide and never act."""
