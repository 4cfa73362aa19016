"""What the DNS of a customer's domain says against what it should say: a verdict a record, in words (rows F4, G7).

Facts in, findings out; the questions were asked before. A fact nobody could learn makes a finding UNKNOWN, never bad.
"""

from msgspec import Struct

from emailgency.model.directory import Role
from emailgency.model.domain_check import Finding, Standing
from emailgency.model.words import Words
from emailgency.rules.domain_words import WORDS

STEP = 10  # between preferences, so that something fits in between


class Wish(Struct, frozen=True, kw_only=True):
    """What the customer is with us. `host`: our name for his MX records, his alternate domain."""

    domain: str
    host: str
    role: Role
    own_server: bool = True  # False: his mail is read here only
    transport: bool = False  # an SMTP transport says where his own server is


class MxHost(Struct, frozen=True):
    """One MX. `lost`: the DNS says that it has no address; `hidden`: none that the internet reaches."""

    preference: int
    host: str
    ours: bool
    lost: bool = False
    hidden: bool = False

    def __str__(self) -> str:
        return f"{self.preference} {self.host}" if self.host else f"{self.preference} ."


class SpfFacts(Struct, frozen=True):
    """`records`: those at the domain; `reached`: whether they let each address of ours send, None: cannot be told
    now; `broken`: why receivers cannot use them, a key of WORDS."""

    records: tuple[str, ...]
    reached: bool | None = None
    broken: str = ""


class StsFacts(Struct, frozen=True):
    """`id` "": no record. `mode` "": there is a record, but no policy; `looked`: the policy was asked for."""

    id: str = ""
    looked: bool = True
    mode: str = ""
    mx: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()  # names of ours among the MX, or to be there, that the policy does not allow


class Pointing(Struct, frozen=True):
    """Where a name leads: `found` as records; `ours`: to us."""

    found: tuple[str, ...] = ()
    ours: bool = False


def said(key: str, **values: str) -> Words:
    return Words(WORDS[key].text, values)


def unknown(kind: str, name: str, type: str) -> Finding:
    return Finding(kind=kind, name=name, type=type, standing=Standing.UNKNOWN, words=said("unknown"))


# ---- MX ----------------------------------------------------------------------------------------------------------


def mx(wish: Wish, hosts: tuple[MxHost, ...] | None, exists: bool = True) -> Finding:
    """`hosts` None: the DNS does not answer. `exists`: whether there is such a domain."""
    if hosts is None:
        return unknown("mx", wish.domain, "MX")
    standing, words = _mx_verdict(wish, hosts, exists)
    return Finding(
        kind="mx",
        name=wish.domain,
        type="MX",
        standing=standing,
        words=words,
        found=tuple(str(one) for one in hosts),
        wanted=() if standing is Standing.GOOD else _mx_wanted(wish, hosts),
    )


def _mx_verdict(wish: Wish, hosts: tuple[MxHost, ...], exists: bool) -> tuple[Standing, Words]:
    domain, host = wish.domain, wish.host
    if not exists:
        return Standing.WRONG, said("no domain", domain=domain)
    if not hosts:
        return Standing.MISSING, said("no mx", domain=domain)
    if any(not one.host for one in hosts):  # RFC 7505
        return Standing.WRONG, said("null mx", domain=domain)
    ours = [one.preference for one in hosts if one.ours]
    others = [one.preference for one in hosts if not one.ours]
    if not ours:
        return Standing.MISSING, said("we are not there", domain=domain, host=host)
    if lost := next((one for one in hosts if one.lost), None):
        return Standing.WRONG, said("mx lost", host=lost.host)
    if hidden := next((one for one in hosts if one.hidden and not one.ours), None):
        return Standing.WRONG, said("mx hidden", host=hidden.host)
    if not wish.own_server:
        return (Standing.WRONG, said("others without server")) if others else (Standing.GOOD, said("only we"))
    if wish.role is Role.PRIMARY:
        if others and min(others) <= min(ours):
            return Standing.WRONG, said("not first")
        if not wish.transport:
            return Standing.WRONG, said("no transport")
        return Standing.GOOD, said("first")
    if not others:
        return Standing.WRONG, said("only we, but backup")
    if min(ours) < min(others):
        return Standing.WRONG, said("before you")
    if min(ours) == min(others):
        return Standing.WRONG, said("beside you")
    return Standing.GOOD, said("behind you")


def _mx_wanted(wish: Wish, hosts: tuple[MxHost, ...]) -> tuple[str, ...]:
    """The whole set in its order; what the customer has of his own stays as it is where it can."""
    own = sorted((one for one in hosts if not one.ours and one.host and not one.lost), key=lambda one: one.preference)
    if not wish.own_server:
        own = []
    if wish.role is Role.PRIMARY and wish.own_server:
        behind = [f"{STEP * place} {one.host}" for place, one in enumerate(own, 2)]
        return (f"{STEP} {wish.host}", *behind)
    if not own and wish.own_server:  # without MX records the domain itself is the one server (RFC 5321 section 5.1)
        own = [MxHost(STEP, f"your-server.{wish.domain}" if hosts else wish.domain, ours=False)]
    if not own:
        return (f"{STEP} {wish.host}",)
    last = min(65535, max(one.preference for one in own) + STEP)
    if last <= own[0].preference:  # nothing fits behind 65535
        own = [MxHost(STEP * place, one.host, ours=False) for place, one in enumerate(own, 1)]
        last = STEP * (len(own) + 1)
    return (*(str(one) for one in own), f"{last} {wish.host}")


# ---- SPF ---------------------------------------------------------------------------------------------------------


def spf(domain: str, mechanism: str, facts: SpfFacts | None, repaired: str) -> Finding:
    """`mechanism` is what lets us send, `repaired` the first record with it."""
    if facts is None or (facts.reached is None and not facts.broken and facts.records):
        return unknown("spf", domain, "TXT")
    wanted: tuple[str, ...] = (repaired,)
    if not facts.records:
        standing, words = Standing.MISSING, said("no spf", mechanism=mechanism)
        wanted = (f"v=spf1 mx {mechanism} ~all",)
    elif len(facts.records) > 1:
        standing, words = Standing.WRONG, said("many spf", count=str(len(facts.records)))
    elif facts.broken:
        standing, words = Standing.WRONG, said(facts.broken, mechanism=mechanism)
    elif facts.reached:
        standing, words, wanted = Standing.GOOD, said("spf good"), ()
    else:
        standing, words = Standing.MISSING, said("spf without us", mechanism=mechanism)
    return Finding(
        kind="spf", name=domain, type="TXT", standing=standing, words=words, found=facts.records, wanted=wanted
    )


# ---- MTA-STS -----------------------------------------------------------------------------------------------------


def mta_sts(wish: Wish, facts: StsFacts | None) -> Finding:
    name = f"_mta-sts.{wish.domain}"
    if facts is None:
        return unknown("mta_sts", name, "TXT")
    lines = "; ".join(f"mx: {host}" for host in facts.refused)
    wanted: tuple[str, ...] = ()
    if not facts.id:
        standing, words = Standing.GOOD, said("no sts")
    elif not facts.looked:
        standing, words = Standing.DOUBTFUL, said("sts not read", host=wish.host, domain=wish.domain)
    elif not facts.mode:
        standing, words = Standing.WRONG, said("sts broken", domain=wish.domain)
    elif facts.mode != "none" and facts.refused:
        key = "sts refuses" if facts.mode == "enforce" else "sts would refuse"
        standing, words = Standing.WRONG, said(key, lines=lines, domain=wish.domain)
        wanted = (f"mode: {facts.mode}", *(f"mx: {one}" for one in (*facts.mx, *facts.refused)))
    else:
        standing, words = Standing.GOOD, said("sts good")
    found = (f"mode: {facts.mode}", *(f"mx: {one}" for one in facts.mx)) if facts.mode else ()
    return Finding(
        kind="mta_sts",
        name=name if not facts.mode else f"https://mta-sts.{wish.domain}/.well-known/mta-sts.txt",
        type="TXT" if not facts.mode else "policy",
        standing=standing,
        words=words,
        found=found or ((f"v=STSv1; id={facts.id}",) if facts.id else ()),
        wanted=wanted,
    )


# ---- names -------------------------------------------------------------------------------------------------------


def alternate(host: str, pointing: Pointing | None) -> Finding:
    """The alternate domain, which the operator publishes: mail, web and mail programs reach us by it."""
    if pointing is None:
        return unknown("alternate", host, "A")
    if pointing.ours:
        standing, words = Standing.GOOD, said("alternate good")
    elif pointing.found:
        standing, words = Standing.WRONG, said("alternate elsewhere", host=host)
    else:
        standing, words = Standing.MISSING, said("alternate missing", host=host)
    return Finding(kind="alternate", name=host, type="A", standing=standing, words=words, found=pointing.found)


def autoconfig(wish: Wish, pointing: Pointing | None) -> Finding:
    """A name that mail programs ask by themselves; it is the customer's to give (row F4)."""
    return _optional("autoconfig", f"autoconfig.{wish.domain}", "CNAME", f"{wish.host}.", pointing)


def autodiscover(wish: Wish, pointing: Pointing | None) -> Finding:
    """By SRV, since the certificate we show is for our name and not for autodiscover.<domain>."""
    return _optional("autodiscover", f"_autodiscover._tcp.{wish.domain}", "SRV", f"0 0 443 {wish.host}.", pointing)


def _optional(kind: str, name: str, type: str, record: str, pointing: Pointing | None) -> Finding:
    if pointing is None:
        return unknown(kind, name, type)
    if pointing.ours:
        return Finding(
            kind=kind, name=name, type=type, standing=Standing.GOOD, words=said("leads here"), found=pointing.found
        )
    words = said("leads elsewhere") if pointing.found else said(f"no {kind}")
    return Finding(
        kind=kind,
        name=name,
        type=type,
        standing=Standing.OPTIONAL,
        words=words,
        found=pointing.found,
        wanted=() if pointing.found else (record,),
    )


def dkim(name: str, record: str, status: str) -> Finding:
    """`status` as flows.trust.signing says it: "found", "missing", "different", "unknown"."""
    if status == "unknown":
        return unknown("dkim", name, "TXT")
    good = status == "found"
    key = {"found": "dkim good", "missing": "dkim missing", "different": "dkim different"}[status]
    return Finding(
        kind="dkim",
        name=name,
        type="TXT",
        standing=Standing.GOOD if good else Standing.WRONG if status == "different" else Standing.MISSING,
        words=said(key),
        found=(record,) if good else (),
        wanted=() if good else (record,),
    )
