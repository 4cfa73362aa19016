"""The words of a mail with a link that sets a password, in the customer's language (row B2)."""

from emailgency.codec.mime.compose import Written
from emailgency.model.address import Address
from emailgency.model.directory import Customer
from emailgency.servers.web.console.letters import console_of, written
from emailgency.servers.web.console.pages import Pages

HOUR = 3600


class PasswordLetters:
    """flows.accounts.invitations.Writer."""

    def __init__(self, pages: Pages, root: str, https_port: int) -> None:
        self._pages = pages
        self._root = root
        self._https_port = https_port

    def __call__(self, customer: Customer, address: Address, token: str, purpose: str, seconds: int) -> Written:
        """`purpose`: "invitation" or "reset"."""
        facts: dict[str, object] = {
            "address": str(address),
            "domain": customer.domain,
            "link": f"{console_of(customer, self._root, self._https_port)}/password?token={token}",
            "purpose": purpose,
            "hours": max(1, seconds // HOUR),
        }
        return written(self._pages, "mail_password", customer.language, facts)
