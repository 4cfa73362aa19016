"""The form of an SMTP transport, `host[:port]` (row D3); whether it may be connected to is `net.egress`' to say."""

import re
from ipaddress import ip_address

_NAME = re.compile(r"(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{1,63}", re.IGNORECASE)
_BRACKETED = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::([0-9]{1,5}))?")
_PLAIN = re.compile(r"([^:\[\]]+)(?::([0-9]{1,5}))?")


def transport_fault(text: str) -> str | None:
    """Words for who wrote it, or None: `mail.mydomain.zz`, `192.0.2.1:2525`, `[2001:db8::1]:25` are good."""
    found = _BRACKETED.fullmatch(text) or _PLAIN.fullmatch(text)
    if found is None:
        return f"{text!r} is not host[:port]; an IPv6 address stands in brackets"
    host, port = found.groups()
    if port is not None and not 1 <= int(port) <= 65_535:
        return f"{port} is no port"
    if not _is_address(host) and (not _NAME.fullmatch(host) or host.rpartition(".")[2].isdigit()):
        return f"{host!r} is neither an IP address nor a full host name"
    return None


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
