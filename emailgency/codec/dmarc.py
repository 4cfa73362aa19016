"""What a domain asks of whoever gets mail in its name: its DMARC record (RFC 7489 section 6.3)."""

from emailgency.codec import tag_list
from emailgency.codec.tag_list import Malformed
from emailgency.model.authentication import DmarcPolicy

_POLICIES = ("none", "quarantine", "reject")
LONGEST = 2048  # characters that are read


def read(records: tuple[str, ...]) -> DmarcPolicy | None:
    """Of the TXT records at `_dmarc.<domain>`. None: there is no policy, or more than one (section 6.6.3)."""
    policies = [one for one in records if one.startswith("v=DMARC1") and len(one) <= LONGEST]
    if len(policies) != 1:
        return None
    try:
        tags = tag_list.parse(policies[0])
    except Malformed:
        return None
    if next(iter(tags), "") != "v" or tags["v"] != "DMARC1":
        return None
    policy = tags.get("p", "").lower()
    if policy not in _POLICIES:  # section 6.6.3 step 6: whoever wants reports is at least watching
        if "mailto:" not in tags.get("rua", "").lower():
            return None
        policy = "none"
    subdomains = tags.get("sp", policy).lower()
    return DmarcPolicy(
        policy=policy,
        subdomains=subdomains if subdomains in _POLICIES else policy,
        strict_dkim=tags.get("adkim", "r").lower() == "s",
        strict_spf=tags.get("aspf", "r").lower() == "s",
    )
