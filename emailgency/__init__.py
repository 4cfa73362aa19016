"""Emailgency: the mail server that stands in when the customer's own server is down."""

__version__ = "0.1.0"
