"""The words of a mail with a link that sets a password, in the customer's language (row B2)."""

from emailgency.codec.mime.compose import Written
from emailgency.model.address import Address
from emailgency.model.directory import Customer
from emailgency.servers.web.console.letters import written
from emailgency.servers.web.console.pages import Pages

HOUR = 3600


class PasswordLetters:
    """flows.accounts.invitations.Writer. The link leads to the alternate domain, to no host of a request."""

    def __init__(self, pages: Pages, root: str, https_port: int) -> None:
        self._pages = pages
        self._root = root
        self._port = "" if https_port == 443 else f":{https_port}"

    def __call__(self, customer: Customer, address: Address, token: str, purpose: str, seconds: int) -> Written:
        """`purpose`: "invitation" or "reset"."""
        facts: dict[str, object] = {
            "address": str(address),
            "domain": customer.domain,
            "link": f"https://{customer.alternate_domain}{self._port}{self._root}/password?token={token}",
            "purpose": purpose,
            "hours": max(1, seconds // HOUR),
        }
        return written(self._pages, "mail_password", customer.language, facts)
