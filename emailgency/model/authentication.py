"""What is known of who sent a message: the results of SPF, DKIM, DMARC and ARC (product row C8, RFC 8601)."""

from msgspec import Struct

PASS = "pass"  # noqa: S105 -- no password
FAIL = "fail"
NONE = "none"
POLICY = "policy"
TEMPERROR = "temperror"
PERMERROR = "permerror"


class Checked(Struct, frozen=True):
    """One method's result. `properties` are ptype.property and value of RFC 8601 section 2.2; `reason` for people."""

    method: str  # "spf", "dkim", "dmarc", "arc"
    result: str  # a word of RFC 8601 section 2.7
    reason: str = ""
    properties: tuple[tuple[str, str], ...] = ()


class Findings(Struct, frozen=True):
    """All that was found out about one message."""

    checked: tuple[Checked, ...] = ()
    genuine: bool = False  # its envelope sender is who he says: SPF passed, or a signature of his domain is good

    def result(self, method: str) -> str:
        """Of the first check by that method; "none" when there was none."""
        return next((one.result for one in self.checked if one.method == method), NONE)


class DmarcPolicy(Struct, frozen=True):
    """What a domain's DMARC record asks for (RFC 7489 section 6.3)."""

    policy: str  # "none", "quarantine", "reject"
    subdomains: str
    strict_dkim: bool = False
    strict_spf: bool = False
