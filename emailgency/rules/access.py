"""Which doors a mail program is told of (row B4, F4)."""

from collections.abc import Mapping

from emailgency.model.access import Access, Door, Security

# By our names of the services, the best first: TLS at once leaves nothing to strip (RFC 8314 section 3), and IMAP
# leaves the mail where it can go home from.
_INCOMING = (
    ("imaps", "imap", Security.TLS),
    ("imap", "imap", Security.STARTTLS),
    ("pop3s", "pop3", Security.TLS),
    ("pop3", "pop3", Security.STARTTLS),
)
_OUTGOING = (("submissions", "smtp", Security.TLS), ("submission", "smtp", Security.STARTTLS))
SERVICES = tuple(service for service, _, _ in (*_INCOMING, *_OUTGOING))


def access(domain: str, host: str, ports: Mapping[str, int]) -> Access:
    """`host` is the customer's alternate domain (row A9); a service without a port is not told of."""

    def doors(choices: tuple[tuple[str, str, Security], ...]) -> tuple[Door, ...]:
        return tuple(
            Door(protocol, host, ports[service], security)
            for service, protocol, security in choices
            if service in ports
        )

    return Access(domain, doors(_INCOMING), doors(_OUTGOING))
