"""One mailbox: status, password, forwarding, aliases, lists, hints. Its user sees the same page (row B4)."""

from emailgency.flows.accounts.access import MailAccess
from emailgency.flows.accounts.login import Login, Source
from emailgency.flows.accounts.passwords import Passwords
from emailgency.flows.addresses.addresses import Addresses
from emailgency.flows.addresses.mailbox_status import MailboxStatus
from emailgency.model.errors import Invalid
from emailgency.rules.expiry import delay_of, quota_of
from emailgency.servers.web.console.deeds import seen_mailbox
from emailgency.servers.web.console.entrance import Entrance
from emailgency.servers.web.console.routes import Answer, Asked, Away, Page, Route, Visitor, Who
from emailgency.store.directory.directory import Directory


class MailboxPanel:
    def __init__(
        self,
        directory: Directory,
        addresses: Addresses,
        passwords: Passwords,
        status: MailboxStatus,
        access: MailAccess,
        login: Login,
        entrance: Entrance,
    ) -> None:
        self._directory = directory
        self._addresses = addresses
        self._passwords = passwords
        self._status = status
        self._access = access
        self._login = login
        self._entrance = entrance

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/mailboxes/<address>", Who.USER, self.show),
            Route("POST", "/mailboxes/<address>/password", Who.USER, self.set_password),
            Route("POST", "/mailboxes/<address>/forwarding", Who.USER, self.set_forwarding),
            Route("POST", "/mailboxes/<address>/expiration", Who.USER, self.set_expiration),
        ]

    async def show(self, visitor: Visitor, asked: Asked) -> Answer:
        mailbox = await seen_mailbox(self._directory, visitor, asked)
        aliases, lists = await self._status.names(mailbox)
        folders = await self._status.folders(mailbox)
        customer = await self._directory.customer(mailbox.customer)
        plan = await self._directory.plan(customer.plan)
        facts = {
            "mailbox": mailbox,
            "own": mailbox.id == visitor.known.mailbox,
            "aliases": aliases,
            "lists": lists,
            "folders": folders,
            "messages": sum(folder.messages for folder in folders),
            "unseen": sum(folder.unseen for folder in folders),
            "size": sum(folder.size for folder in folders),
            "quota": quota_of(mailbox, plan),
            "days": delay_of(mailbox, plan),
            "plan": plan,
            "last_login": await self._login.last_login(mailbox.id),
            "access": await self._access.of_domain(customer.domain),
        }
        return Page("mailbox.html", facts)

    async def set_password(self, visitor: Visitor, asked: Asked) -> Answer:
        """An administrator needs no old password for others; for one's own, who holds the session must know it."""
        mailbox = await seen_mailbox(self._directory, visitor, asked)
        new = asked.one("new")
        if new != asked.one("again"):
            raise Invalid("The two new passwords differ.")
        if mailbox.id == visitor.known.mailbox:
            await self._login.check_present(mailbox, asked.one("old"), Source("web", visitor.ip))
        changed = await self._passwords.set(visitor.author, mailbox.address, new)
        if mailbox.id == visitor.known.mailbox:
            return Away("/", await self._entrance.stay(visitor, changed, strong=visitor.known.strong, proven=True))
        visitor.tell("success", str(mailbox.address))
        return Away(f"/mailboxes/{mailbox.address}")

    async def set_forwarding(self, visitor: Visitor, asked: Asked) -> Answer:
        mailbox = await seen_mailbox(self._directory, visitor, asked)
        forwards = [line.strip() for line in asked.one("forwards").splitlines() if line.strip()]
        keep_copy = asked.one("keep_copy") == "yes" or not forwards
        await self._addresses.set_mailbox(visitor.author, mailbox.address, forwards=forwards, keep_copy=keep_copy)
        visitor.tell("success", str(mailbox.address))
        return Away(f"/mailboxes/{mailbox.address}")

    async def set_expiration(self, visitor: Visitor, asked: Asked) -> Answer:
        """Row B5: within the plan; empty is what the plan says."""
        mailbox = await seen_mailbox(self._directory, visitor, asked)
        days = asked.one("days").strip()
        if days and not (days.isascii() and days.isdecimal() and len(days) < 6):
            raise Invalid("The time that mail is kept is a number of days.")
        await self._addresses.set_mailbox(visitor.author, mailbox.address, expiration_delay=int(days) if days else None)
        visitor.tell("success", str(mailbox.address))
        return Away(f"/mailboxes/{mailbox.address}")
