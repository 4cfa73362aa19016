"""What proves who somebody is: passwords, sessions, links, tokens, and failures to prove it."""
