"""IMAP on the wire: commands in, responses out (RFC 3501)."""
