"""How other servers are told to trust us: lines for their settings, made of our addresses (row G7).

Never a network that may send through them: only what spares us checks that are meant for strangers.
"""

from collections.abc import Sequence

from msgspec import Struct

from emailgency.model.words import Words


class Snippet(Struct, frozen=True):
    """For one kind of server, into the file `place`. `words`: where in it, for people."""

    server: str
    place: str
    text: str
    words: Words | None = None


def snippets(name: str, addresses: Sequence[str], seal: str) -> list[Snippet]:
    """`name`: our authserv-id. `seal`: domain of the ARC seals on the customer's mail, "" when it bears none."""
    if not addresses:
        return []
    commas = ", ".join(addresses)
    found = [
        Snippet("postfix", "/etc/postfix/emailgency.cidr", "".join(f"{one}  permit\n" for one in addresses)),
        Snippet(
            "postfix",
            "/etc/postfix/main.cf",
            "postscreen_access_list = permit_mynetworks, cidr:/etc/postfix/emailgency.cidr\n"
            "smtpd_client_restrictions = permit_mynetworks, check_client_access cidr:/etc/postfix/emailgency.cidr, …\n",
        ),
        Snippet("postfix", "/etc/postfix-policyd-spf-python/policyd-spf.conf", f"Whitelist = {commas}\n"),
        Snippet("exim", "exim.conf", f"hostlist emailgency = <; {' ; '.join(addresses)}\n"),
        Snippet(
            "exim",
            "exim.conf",
            "warn  hosts   = +emailgency\n      control = dmarc_disable_verify\n",
            Words("first in acl_check_rcpt"),
        ),
        Snippet(
            "exim",
            "exim.conf",
            "      !hosts  = +emailgency\n",
            Words("and in each rule that asks for SPF, block lists or greylisting"),
        ),
        Snippet("exchange", "", _exchange(addresses, seal)),
        Snippet("google", "", "".join(f"{one}\n" for one in addresses)),
    ]
    if seal:
        found.append(Snippet("postfix", "/etc/opendmarc.conf", f"TrustedAuthservIDs {name}\n"))
    return found


def _exchange(addresses: Sequence[str], seal: str) -> str:
    commas = ",".join(addresses)
    lines = [
        'New-InboundConnector -Name "Emailgency" -ConnectorType Partner -SenderDomains * `',
        f"  -SenderIPAddresses {commas} -RestrictDomainsToIPAddresses $false",
        f'Set-InboundConnector "Emailgency" -EFSkipIPs {commas}',
    ]
    if seal:
        lines.append(f'Set-ArcConfig -Identity Default -ArcTrustedSealers "{seal}"')
    return "".join(f"{line}\n" for line in lines)
