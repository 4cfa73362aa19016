"""What Outlook asks and is told: plain old XML (MS-OXDSCLI), and the JSON that names where that is.

The question is XML of a stranger: it may declare nothing (no DOCTYPE, so no entities), and is bounded by who reads it.
"""

import json
from xml.etree.ElementTree import Element, SubElement, tostring
from xml.parsers import expat

from msgspec import Struct

from emailgency.model.access import Access, Door, Security

XML = b"application/xml; charset=utf-8"
JSON = b"application/json; charset=utf-8"
PATH = "/autodiscover/autodiscover.xml"
OUTLOOK = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"
LONGEST = 65_536  # octets of a question; some 500 are usual

_RESPONSE = "http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006"
_ENCRYPTION = {Security.TLS: "SSL", Security.STARTTLS: "TLS"}
_TEXT = 320  # characters of an element that are kept


class Question(Struct, frozen=True):
    """`schema`: the form of answer that is asked for."""

    address: str
    schema: str


def question(octets: bytes) -> Question | None:
    """None when it is none."""
    found: dict[str, str] = {}
    inside: list[str] = []

    def start(name: str, attributes: object) -> None:
        inside.append(name.rpartition(" ")[2])

    def end(name: str) -> None:
        inside.pop()

    def text(more: str) -> None:
        if inside and len(found.get(inside[-1], "")) < _TEXT and inside[-1] in _ASKED:
            found[inside[-1]] = (found.get(inside[-1], "") + more)[:_TEXT]

    def declares(*_: object) -> None:
        raise _Declares

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, text
    parser.StartDoctypeDeclHandler = declares
    try:
        parser.Parse(octets[:LONGEST], True)
    except (expat.ExpatError, _Declares, LookupError, ValueError):  # also an encoding nobody knows
        return None
    address, schema = (found.get(name, "").strip() for name in _ASKED)
    return Question(address, schema) if address else None


_ASKED = ("EMailAddress", "AcceptableResponseSchema")


class _Declares(Exception):
    """It has a DOCTYPE."""


def answer(access: Access, login: str) -> bytes:
    """`login`: the user name, an address in canonical form."""
    root = Element("Autodiscover", xmlns=_RESPONSE)
    account = SubElement(SubElement(root, "Response", xmlns=OUTLOOK), "Account")
    _leaf(account, AccountType="email", Action="settings")
    told: set[str] = set()
    for door in (*access.incoming, *access.outgoing):
        if door.protocol not in told:  # the best of each: Outlook takes one
            told.add(door.protocol)
            _protocol(account, door, login)
    return _octets(root)


def refusal(code: int, words: str) -> bytes:
    """An answer without settings, in the form of the protocol."""
    root = Element("Autodiscover", xmlns=_RESPONSE)
    error = SubElement(SubElement(root, "Response"), "Error")
    _leaf(error, ErrorCode=str(code), Message=words)
    return _octets(root)


def place(url: str) -> bytes:
    """The JSON answer: where the XML is."""
    return json.dumps({"Protocol": "AutodiscoverV1", "Url": url}).encode()


def no_place(code: str, words: str) -> bytes:
    return json.dumps({"ErrorCode": code, "ErrorMessage": words}).encode()


def _protocol(account: Element, door: Door, login: str) -> None:
    protocol = SubElement(account, "Protocol")
    _leaf(
        protocol,
        Type=door.protocol.upper(),
        Server=door.host,
        Port=str(door.port),
        DomainRequired="off",
        LoginName=login,
        SPA="off",
        SSL="on",
        Encryption=_ENCRYPTION[door.security],
        AuthRequired="on",
    )
    if door.protocol == "smtp":
        _leaf(protocol, UsePOPAuth="on", SMTPLast="off")


def _leaf(parent: Element, **texts: str) -> None:
    for name, text in texts.items():
        SubElement(parent, name).text = text


def _octets(root: Element) -> bytes:
    octets: bytes = tostring(root, "utf-8", xml_declaration=True)
    return octets
