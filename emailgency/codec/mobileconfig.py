"""A profile for the mail programs of Apple: one account without its password, which is asked for at installation."""

import plistlib
from uuid import NAMESPACE_DNS, UUID, uuid5

from emailgency.model.access import Access, Door, Security

CONTENT_TYPE = "application/x-apple-aspen-config"


def profile(access: Access, address: str, service: str) -> bytes:
    """A property list. The same account has the same UUIDs, so that a second profile takes the place of the first."""
    incoming = next(door for door in access.incoming if door.protocol == "imap")
    outgoing = access.outgoing[0]
    identity = uuid5(NAMESPACE_DNS, f"{address}.{incoming.host}")
    name = ".".join(reversed(incoming.host.split(".")))
    account: dict[str, object] = {
        "PayloadType": "com.apple.mail.managed",
        "PayloadVersion": 1,
        "PayloadIdentifier": f"{name}.mail.{identity}",
        "PayloadUUID": _uuid(identity, "account"),
        "PayloadDisplayName": address,
        "EmailAccountType": "EmailTypeIMAP",
        "EmailAccountDescription": f"{access.domain} ({service})",
        "EmailAddress": address,
        **_server("Incoming", incoming, address),
        **_server("Outgoing", outgoing, address),
        "OutgoingPasswordSameAsIncomingPassword": True,
        "PreventMove": False,
    }
    whole = {
        "PayloadType": "Configuration",
        "PayloadVersion": 1,
        "PayloadIdentifier": f"{name}.{identity}",
        "PayloadUUID": _uuid(identity, "profile"),
        "PayloadDisplayName": f"{service}: {address}",
        "PayloadDescription": access.domain,
        "PayloadOrganization": access.domain,
        "PayloadRemovalDisallowed": False,
        "PayloadContent": [account],
    }
    return plistlib.dumps(whole)


def suits(access: Access) -> bool:
    """Whether there is an account to make: a way to read by IMAP and one to send."""
    return any(door.protocol == "imap" for door in access.incoming) and bool(access.outgoing)


def _server(way: str, door: Door, address: str) -> dict[str, object]:
    return {
        f"{way}MailServerHostName": door.host,
        f"{way}MailServerPortNumber": door.port,
        f"{way}MailServerUseSSL": door.security in (Security.TLS, Security.STARTTLS),
        f"{way}MailServerUsername": address,
        f"{way}MailServerAuthentication": "EmailAuthPassword",
    }


def _uuid(identity: UUID, part: str) -> str:
    return str(uuid5(identity, part)).upper()
