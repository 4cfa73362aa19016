"""The settings file that Thunderbird and others ask for (wiki.mozilla.org/Thunderbird:Autoconfiguration), version 1.1.

The user name is a placeholder which the program fills in: whatever address it has asked with never comes back.
"""

from xml.etree.ElementTree import Element, SubElement, tostring

from emailgency.model.access import Access, Door, Security

CONTENT_TYPE = b"application/xml; charset=utf-8"

_SOCKET = {Security.TLS: "SSL", Security.STARTTLS: "STARTTLS"}


def document(access: Access) -> bytes:
    """The whole file."""
    root = Element("clientConfig", version="1.1")
    provider = SubElement(root, "emailProvider", id=access.domain)
    for tag in ("domain", "displayName", "displayShortName"):
        SubElement(provider, tag).text = access.domain
    for door in access.incoming:
        _server(provider, "incomingServer", door)
    for door in access.outgoing:
        _server(provider, "outgoingServer", door)
    octets: bytes = tostring(root, "utf-8", xml_declaration=True)
    return octets


def _server(provider: Element, tag: str, door: Door) -> None:
    server = SubElement(provider, tag, type=door.protocol)
    for name, text in (
        ("hostname", door.host),
        ("port", str(door.port)),
        ("socketType", _SOCKET[door.security]),
        ("username", "%EMAILADDRESS%"),
        ("authentication", "password-cleartext"),
    ):
        SubElement(server, name).text = text
