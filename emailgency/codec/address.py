"""Addresses: text of a peer or a person -> `model.Address`, and back to the wire.

This is the only maker of an `Address`. What comes out is safe to compare, to log and to use as a key: no control
characters, no `../`, bounded in length, the domain as lower-case A-labels. A plain ASCII address, nearly all there
are, is decided by one regular expression; everything else goes the long way, which is linear too.

    Mailbox    = Local-part "@" ( Domain / address-literal )              RFC 5321 section 4.1.2
    Local-part = Dot-string / Quoted-string                               SMTPUTF8: RFC 6531 section 3.3
    A-d-l ":"  in front is a source route; it is checked and forgotten    RFC 5321 section 4.1.1.3, appendix C
"""

import re
import unicodedata
from base64 import b32encode
from hashlib import sha256

from emailgency.model.address import DOT_STRING, Address, quoted
from emailgency.model.errors import Invalid

LOCAL_OCTETS = 64  # RFC 5321 section 4.5.3.1.1
FOREIGN_LOCAL_OCTETS = 256  # bounce addresses of lists (VERP) and forwarders (SRS) carry a whole address in theirs
DOMAIN_OCTETS = 255  # section 4.5.3.1.2; DNS itself ends at 253 printable octets
LABEL_OCTETS = 63  # RFC 1035 section 2.3.4
_LONGEST = 1024  # of any text looked at: a path of 256 octets with room for a source route and quoting

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
# Underscores are no part of RFC 5321's Domain, but of many senders' host names; `parse_domain` refuses them.
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_DOMAIN = rf"{_LABEL}(?:\.{_LABEL})*"
_PLAIN = re.compile(rf"({_ATOM}(?:\.{_ATOM})*)@({_DOMAIN})")
_QUOTED = re.compile(r'"((?:[^\x00-\x1f\x7f"\\]|\\[ -~])*)"')
_QUOTED_PAIR = re.compile(r"\\(.)")
_ASCII_DOMAIN = re.compile(_DOMAIN)
_ROUTE = re.compile(rf"@{_DOMAIN}(?:,@{_DOMAIN})*:")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_UNFIT = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"})  # Unicode categories never in a local part
_PATH_TRICK = re.compile(r"(?:^|/)\.\.?(?:/|$)")
_FOLD = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")


def parse(text: str) -> Address:
    """'"Paul"@Exämple.zz' -> its canonical address; raises Invalid with words for the person."""
    plain = _PLAIN.fullmatch(text) if len(text) <= _LONGEST else None
    if plain is not None:
        local, domain = plain.groups()
        if len(local) <= LOCAL_OCTETS and len(domain) <= DOMAIN_OCTETS:
            return Address(local.lower(), _named(domain.lower()))
    local, domain = _parts(text)
    return Address(_canonical_local(local), domain)


def foreign_domain(text: str) -> str:
    """The canonical domain of an address that only others need to understand; raises Invalid.

    Some providers gave away addresses such as "a..b@docomo.example" and "a.@ezweb.example", and local parts of more
    than 64 octets come with every second mailing list: what we neither store nor compare is theirs to judge.
    """
    local, _, domain = text.rpartition("@")
    if not local or len(local.encode()) > FOREIGN_LOCAL_OCTETS or _CONTROL.search(text):
        raise Invalid("%(text)s is not an address", text=repr(text[:80]))
    return _literal(domain) if domain.startswith("[") else _domain(domain)


def reread(text: str) -> Address:
    """What `str` has written of one into a record; older ones lack the quotes of a local part that needs them."""
    try:
        return parse(text)
    except Invalid:
        local, _, domain = text.rpartition("@")
        return Address(local, domain)


def parse_domain(text: str) -> str:
    """'Exämple.ZZ' -> 'xn--exmple-cua.zz': a full host name with a dot, no literal, no underscore."""
    domain = _domain(text)
    if "_" in domain or "." not in domain or domain.startswith("["):
        raise Invalid("%(text)s is not a full domain name", text=repr(text))
    return domain


def wire(address: Address) -> str:
    """The RFC 5321 form, with the local part quoted when it is no Dot-string."""
    return str(address)


def as_addressed(text: str, domain: str | None = None) -> str:
    """The wire form of what `parse` accepts, with the local part as spelled; `domain` replaces the one addressed."""
    plain = _PLAIN.fullmatch(text) if len(text) <= _LONGEST else None
    if plain is not None:
        return f"{plain[1]}@{domain or plain[2].lower()}"
    local, addressed = _parts(text)
    return f"{quoted(local)}@{domain or addressed}"


def opaque(address: Address) -> str:
    """A file-system name that tells nothing of its address and cannot leave its folder: 32 characters a-z2-7."""
    return b32encode(sha256(f"{address.local}@{address.domain}".encode()).digest()[:20]).decode().lower()


def _parts(text: str) -> tuple[str, str]:
    """Local part as spelled, unquoted; domain canonical."""
    if len(text) > _LONGEST:
        raise Invalid("the address is too long")
    if _CONTROL.search(text):
        raise Invalid("the address contains control characters")
    if text.startswith("@"):
        route = _ROUTE.match(text)
        if route is None:
            raise Invalid("the source route of the address is malformed")
        text = text[route.end() :]
    local, at, domain = text.rpartition("@")
    if not at:
        raise Invalid("%(text)s has no @", text=repr(text))
    return _local(local), _literal(domain) if domain.startswith("[") else _domain(domain)


def _local(text: str) -> str:
    in_quotes = _QUOTED.fullmatch(text)
    if in_quotes is not None:
        text = _QUOTED_PAIR.sub(r"\1", in_quotes[1])
    elif not DOT_STRING.fullmatch(text):
        raise Invalid("the part before the @, %(text)s, is malformed", text=repr(text))
    if not text:
        raise Invalid("there is nothing before the @")
    if not text.isascii() and any(_unfit(character) for character in text if character > "\x7f"):
        raise Invalid("the part before the @ contains characters that cannot be seen, or that only look like others")
    if _PATH_TRICK.search(text):
        raise Invalid("the part before the @ looks like a path")
    if len(text.encode()) > LOCAL_OCTETS:
        raise Invalid("the part before the @ is longer than %(octets)s octets", octets=LOCAL_OCTETS)
    return text


def _unfit(character: str) -> bool:
    """Invisible, or composed to ASCII: the Kelvin sign would become the name of somebody with a k (attack row 31)."""
    return unicodedata.category(character) in _UNFIT or unicodedata.normalize("NFC", character).isascii()


def _canonical_local(local: str) -> str:
    """ASCII letters fold, others only compose (RFC 6532 section 3.1): no İ or ß ever becomes another's name."""
    if local.isascii():
        return local.translate(_FOLD)
    local = unicodedata.normalize("NFC", local).translate(_FOLD)
    if len(local.encode()) > LOCAL_OCTETS:  # a few compositions grow
        raise Invalid("the part before the @ is longer than %(octets)s octets", octets=LOCAL_OCTETS)
    return local


def _domain(text: str) -> str:
    if len(text) > DOMAIN_OCTETS:
        raise Invalid("the domain is too long")
    domain = text if text.isascii() else _a_labels(text)
    if len(domain) > DOMAIN_OCTETS or not _ASCII_DOMAIN.fullmatch(domain):
        raise Invalid("%(text)s is not a domain name", text=repr(text))
    return _named(domain.lower())


def _named(domain: str) -> str:
    """No top-level domain is all digits: 192.0.2.1 is an address that lacks its brackets."""
    if domain[domain.rfind(".") + 1 :].isdigit():
        raise Invalid("%(domain)s is not a domain name", domain=repr(domain))
    return domain


def _a_labels(text: str) -> str:
    import idna  # 20 ms and 3 MB with its tables, which a server of ASCII domains never needs

    try:
        return idna.encode(text, uts46=True).decode("ascii")
    except UnicodeError as error:  # idna.IDNAError is one; so is what its codecs raise
        raise Invalid("%(text)s is not a domain name: %(error)s", text=repr(text), error=error) from None


def _literal(text: str) -> str:
    """RFC 5321 section 4.1.3. Never a domain of ours."""
    from ipaddress import IPv4Address, IPv6Address

    try:
        if not text.endswith("]"):
            raise ValueError
        if text[:6].lower() == "[ipv6:":
            if "%" in text:
                raise ValueError
            return f"[IPv6:{IPv6Address(text[6:-1])}]"
        return f"[{IPv4Address(text[1:-1])}]"
    except ValueError:
        raise Invalid("%(text)s is not an address literal", text=repr(text)) from None
