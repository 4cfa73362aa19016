"""Mail from templates: `name`.txt, whose first line is the subject, and `name`.html, in somebody's language."""

from emailgency.codec.mime.compose import Written
from emailgency.model.directory import Customer, Notice
from emailgency.servers.web.console.pages import Pages


def written(pages: Pages, name: str, language: str, facts: dict[str, object]) -> Written:
    """`facts` are what both templates show."""
    text = pages.html(f"{name}.txt", language, facts).decode()
    subject, _, body = text.partition("\n\n")
    html = pages.html(f"{name}.html", language, facts).decode()
    return Written(subject=subject, text=body, html=html, language=language)


def console_of(customer: Customer, root: str, https_port: int) -> str:
    """Its address, at the alternate domain of the directory: a link names no host of a request (attack row 19)."""
    port = "" if https_port == 443 else f":{https_port}"
    return f"https://{customer.alternate_domain}{port}{root}"


class NoticeLetters:
    """What contacts of a customer are mailed."""

    def __init__(self, pages: Pages, root: str, https_port: int) -> None:
        self._pages = pages
        self._root = root
        self._https_port = https_port

    def verification(self, customer: Customer, address: str, token: str, days: int) -> Written:
        """flows.accounts.contacts.Writer."""
        link = f"{self._console(customer)}/contact?token={token}"
        facts: dict[str, object] = {"address": address, "domain": customer.domain, "link": link, "days": days}
        return written(self._pages, "mail_contact", customer.language, facts)

    def notice(self, customer: Customer, notice: Notice, facts: dict[str, object]) -> Written:
        """flows.accounts.notices.Writer; the template is mail_<notice>."""
        more = {"domain": customer.domain, "link": f"{self._console(customer)}/", **facts}
        return written(self._pages, f"mail_{notice.value}", customer.language, more)

    def _console(self, customer: Customer) -> str:
        return console_of(customer, self._root, self._https_port)
