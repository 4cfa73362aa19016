"""Copies of a data folder while a server works in it."""
