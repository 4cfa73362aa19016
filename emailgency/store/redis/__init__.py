"""Our Redis: the child process, the connection, and how a program without a reactor asks it."""
