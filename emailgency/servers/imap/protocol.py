"""IMAP on a socket."""

from emailgency.servers.imap.line import Line
from emailgency.servers.line_protocol import LineFactory


class ImapFactory(LineFactory[Line]):
    """The connections of one port of an `ImapServer`."""
