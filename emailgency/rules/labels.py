"""Labels of alternate domains (row A9): `mydomain.zz` -> `mydomainzz`, below the operator's service domain.

A label is chosen once, when a customer comes in, and stored; nothing ever computes it again. Two domains can ask
for the same label (`a.bc`, `ab.c`), so the rule answers a sequence and the flow takes the first that is free.
"""

from collections.abc import Iterator
from itertools import count

LABEL_OCTETS = 63  # RFC 1035 section 2.3.4

# Names an operator needs for himself, or that programs and people trust by their look.
_RESERVED = """
    abuse account admin administrator api app autoconfig autodiscover backup billing blog calendar cdn console
    contact dashboard demo dev dns docs download email emailgency example ftp git help hostmaster imap info invalid
    localdomain localhost login lists mail mailer mta mta-sts mx mx1 mx2 news ns ns1 ns2 operator panel pop pop3
    postmaster root security server shop smtp spam ssl static status submission support test tls vpn webmail
    webmaster wpad www www1 www2
"""
RESERVED = frozenset(_RESERVED.split())


def labels(domain: str) -> Iterator[str]:
    """`domain` as A-labels -> labels to try in order: the domain without its dots, then with -2, -3, ..."""
    name = _joined(domain)
    for attempt in count(1):
        suffix = "" if attempt == 1 else f"-{attempt}"
        label = _fitting(name, suffix)
        if label not in RESERVED:
            yield label


def _joined(domain: str) -> str:
    """Letters of the domain without dots; Unicode when one of its labels was."""
    parts = domain.split(".")
    if any(part.startswith("xn--") for part in parts):
        import idna  # only few domains need it

        try:
            return "".join(idna.decode(part) if part.startswith("xn--") else part for part in parts)
        except UnicodeError:
            pass  # a label that only looks encoded: joined as it stands
    return "".join(parts)


def _fitting(name: str, suffix: str) -> str:
    """The longest beginning of `name` that, with `suffix`, is one valid label."""
    if name.isascii():
        # Hyphens in places 3 and 4 announce an encoding (RFC 5891 section 4.2.3.1) that this is not.
        if name[2:4] == "--":
            name = name[:2] + name[2:].lstrip("-")
        return name[: LABEL_OCTETS - len(suffix)].rstrip("-") + suffix
    import idna

    for end in range(len(name), 0, -1):
        try:
            label = idna.alabel(name[:end].rstrip("-") + suffix).decode("ascii")
        except UnicodeError:  # too long, or cut where the script or a rule of direction forbids
            continue
        if len(label) <= LABEL_OCTETS:
            return label
    # Joining labels of two directions can break the bidi rule (RFC 5893): their A-labels can always be joined.
    return "".join(c for c in idna.encode(name[0]).decode("ascii") if c.isalnum()) + suffix
