"""The storer child process and the reactor's line to it: the only writer of spool and Maildirs."""
