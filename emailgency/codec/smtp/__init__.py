"""SMTP on the wire, both sides (RFC 5321 and its extensions)."""
