"""Whether a message speaks for the domain in its From field (DMARC, RFC 7489 sections 3.1 and 6.6.2)."""

from collections.abc import Callable, Iterable

from emailgency.model.authentication import FAIL, NONE, PASS, TEMPERROR, Checked, DmarcPolicy

Organisation = Callable[[str], str]  # a domain -> the one that is registered (section 3.2)


def aligned(domain: str, author: str, strict: bool, organisation: Organisation) -> bool:
    """Whether who vouches for `domain` may vouch for `author`."""
    if not domain:
        return False
    return domain == author or (not strict and organisation(domain) == organisation(author))


def evaluate(
    author: str,
    policy: DmarcPolicy | None,
    policy_domain: str,
    spf: tuple[str, str],
    signatures: Iterable[tuple[str, str]],
    organisation: Organisation,
) -> Checked:
    """`author`: domain of From; `spf` and `signatures`: result and the domain it is about.

    A method that failed for now may have been the one that passes: then nothing is known.
    """
    if policy is None:
        return Checked("dmarc", NONE, properties=(("header.from", author),))
    asked = policy.policy if policy_domain == author else policy.subdomains
    properties = (("header.from", author), ("policy.dmarc", asked))
    results = [result for result, domain in signatures if aligned(domain, author, policy.strict_dkim, organisation)]
    if aligned(spf[1], author, policy.strict_spf, organisation):
        results.append(spf[0])
    if PASS in results:
        return Checked("dmarc", PASS, properties=properties)
    if TEMPERROR in results:
        return Checked("dmarc", TEMPERROR, properties=properties)
    return Checked("dmarc", FAIL, properties=properties)
