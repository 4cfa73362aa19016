"""Who talks to us: SMTP, submission, IMAP, web, the control socket, periodic loops."""
