"""POP3 on the wire: commands in, responses out (RFC 1939)."""
