"""What we remember: spool, Maildirs, directory, journals."""
