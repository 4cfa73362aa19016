"""Which command is done by what, and in which state (RFC 1939 sections 4 to 7)."""

from emailgency.codec.pop3 import commands
from emailgency.servers.pop3 import authentication, capabilities, transaction
from emailgency.servers.pop3.session import Rule, State

_ANY = frozenset({State.GUEST, State.MEMBER})
_GUEST = frozenset({State.GUEST})
_MEMBER = frozenset({State.MEMBER})

TABLE: dict[type, Rule] = {
    commands.Capa: Rule(capabilities.capa, _ANY),
    commands.Quit: Rule(transaction.leave, _ANY),
    commands.Stls: Rule(authentication.stls, _GUEST),
    commands.Utf8: Rule(authentication.utf8, _GUEST),
    commands.User: Rule(authentication.user, _GUEST),
    commands.Pass: Rule(authentication.password, _GUEST),
    commands.Auth: Rule(authentication.auth, _GUEST),
    commands.Noop: Rule(transaction.noop, _MEMBER),
    commands.Stat: Rule(transaction.stat, _MEMBER),
    commands.List: Rule(transaction.scan, _MEMBER),
    commands.Uidl: Rule(transaction.uidl, _MEMBER),
    commands.Retr: Rule(transaction.retr, _MEMBER),
    commands.Top: Rule(transaction.top, _MEMBER),
    commands.Dele: Rule(transaction.dele, _MEMBER),
    commands.Rset: Rule(transaction.rset, _MEMBER),
}
