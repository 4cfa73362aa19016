"""What SEARCH and SORT look things up in: a cache beside each mailbox, filled by a process of its own."""
