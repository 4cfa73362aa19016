"""The IMAP server: one session a connection."""
