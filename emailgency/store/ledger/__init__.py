"""What became of each message, kept beyond its life: written by a process of its own, read by threads of the server."""
