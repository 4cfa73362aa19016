"""The assistants, for everybody: the records of the DNS, and settings for mail programs (row F4)."""

from functools import lru_cache

from markupsafe import Markup

from emailgency.codec import mobileconfig
from emailgency.codec.address import parse, wire
from emailgency.flows.accounts.access import MailAccess
from emailgency.flows.domains.dns_assistant import ROLES, DnsAssistant, TooMany
from emailgency.model.access import Access, Door
from emailgency.model.directory import Customer, DomainKind
from emailgency.model.domain_check import Standing
from emailgency.model.errors import Invalid
from emailgency.model.words import Words
from emailgency.servers.web.console.qr_code import qr_code
from emailgency.servers.web.console.routes import Answer, Asked, Octets, Page, Route, Visitor, Who
from emailgency.store.directory.directory import Directory


class AssistantPanel:
    """`service` is the name of it all, `https_port` where it is reached."""

    def __init__(
        self, directory: Directory, assistant: DnsAssistant, access: MailAccess, service: str, https_port: int
    ) -> None:
        self._directory = directory
        self._assistant = assistant
        self._access = access
        self._service = service
        self._port = "" if https_port == 443 else f":{https_port}"

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/assistant/dns", Who.ANYBODY, self.dns),
            Route("POST", "/assistant/dns", Who.ANYBODY, self.check),
            Route("GET", "/assistant/mail", Who.ANYBODY, self.mail),
            Route("GET", "/assistant/profile", Who.ANYBODY, self.profile),
        ]

    async def dns(self, visitor: Visitor, asked: Asked) -> Answer:
        customer = await self._host_customer(visitor)
        role = customer.role.value if customer else "backup"
        return _records(customer.domain if customer else "", role)

    async def check(self, visitor: Visitor, asked: Asked) -> Answer:
        domain, role = asked.one("domain").strip(), asked.one("role")
        if role not in ROLES:
            role = "backup"
        customer = await self._host_customer(visitor)
        try:
            wish = self._assistant.wish(domain, *ROLES[role])
            if customer and customer.domain == wish.domain:  # that this host is his stands on the login page
                wish = self._assistant.wish(domain, *ROLES[role], customer.alternate_domain)
            findings = await self._assistant.check(visitor.ip, wish)
        except Invalid as error:
            return _records(domain, role, fault=error.words, status=400)
        except TooMany:
            return _records(domain, role, fault=Words("Too many checks just now. Try again in a minute."), status=429)
        good = all(one.standing in (Standing.GOOD, Standing.OPTIONAL) for one in findings)
        return _records(wish.domain, role, findings=findings, good=good)

    async def mail(self, visitor: Visitor, asked: Asked) -> Answer:
        """By the host, else by the address that is given."""
        address = asked.given("address").strip()
        access, name, fault = await self._reached(visitor, address)
        return Page(
            "assistant_mail.html",
            {
                "access": access,
                "address": name or address,
                "known": bool(name),
                "fault": fault,
                "best": _best(access) if access else (),
                "profile": access is not None and mobileconfig.suits(access),
                "code": self._code(access) if access else "",
            },
            404 if fault else 200,
        )

    async def profile(self, visitor: Visitor, asked: Asked) -> Answer:
        """The file that Apple's programs take."""
        access, name, fault = await self._reached(visitor, asked.given("address").strip())
        if access is None or not name or not mobileconfig.suits(access):
            raise Invalid(fault or Words("Give your whole mail address first."))
        octets = mobileconfig.profile(access, name, self._service)
        return Octets(mobileconfig.CONTENT_TYPE, octets, f"{access.domain}.mobileconfig")

    async def _reached(self, visitor: Visitor, text: str) -> tuple[Access | None, str, Words | None]:
        """The doors, the address as it is written here ("" without one), and what is wrong with it."""
        customer = await self._host_customer(visitor)
        if not text:
            return (await self._access.of_domain(customer.domain) if customer else None), "", None
        try:
            address = parse(text)
        except Invalid as error:
            return None, "", error.words
        access = await self._access.of_domain(address.domain)
        if access is None:
            return None, "", Words("No settings are known here for %(domain)s.", {"domain": address.domain})
        return access, wire(address), None

    async def _host_customer(self, visitor: Visitor) -> Customer | None:
        """Whose alternate domain was asked for."""
        domain = await self._directory.domain(visitor.host) if "." in visitor.host else None
        if domain is None or domain.kind is not DomainKind.ALTERNATE:
            return None
        return await self._directory.customer(domain.customer)

    def _code(self, access: Access) -> Markup:
        """A picture that a phone reads: this page, at the customer's own host."""
        doors = (*access.incoming, *access.outgoing)
        if not doors:
            return Markup()
        return _drawn(f"https://{doors[0].host}{self._port}/eg/assistant/mail")


_drawn = lru_cache(maxsize=256)(qr_code)


def _best(access: Access) -> tuple[Door, ...]:
    """One to read by and one to send by."""
    return (*access.incoming[:1], *access.outgoing[:1])


def _records(domain: str, role: str, *, status: int = 200, **facts: object) -> Page:
    whole: dict[str, object] = {"domain": domain, "role": role, "fault": None, "findings": None, "good": False}
    return Page("assistant_dns.html", whole | facts, status)
