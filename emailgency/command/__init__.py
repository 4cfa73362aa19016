"""The `emailgency` command: one table of commands, from which parser, help and shell completion are made.

Nothing here imports Twisted: a command is an exchange of two lines with the running server, and starts in 0.1 s.
"""
