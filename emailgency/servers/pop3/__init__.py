"""The POP3 server: one session a connection, one maildrop at a time."""
