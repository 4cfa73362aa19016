"""What contacts of customers are mailed, and how their addresses are proven, put together."""

from collections.abc import Callable
from typing import Protocol

from emailgency.flows.accounts.contacts import ContactLink, Contacts
from emailgency.flows.accounts.customer_accounts import CustomerAccounts
from emailgency.flows.accounts.notices import Notices
from emailgency.flows.relaying.own_mail import OwnMail
from emailgency.servers.web.console.console import ROOT
from emailgency.servers.web.console.letters import NoticeLetters
from emailgency.servers.web.console.pages import Pages
from emailgency.settings import Settings
from emailgency.store.directory.directory import Directory
from emailgency.store.experience.once import Once
from emailgency.store.logins.tickets import Tickets
from emailgency.store.redis.redis import Redis
from emailgency.store.spool.spool import Spool


class Parts(Protocol):
    """What they rest on."""

    clock: Callable[[], float]
    directory: Directory
    redis: Redis
    spool: Spool


def notices(parts: Parts, settings: Settings, https_port: int) -> Notices:
    own_mail = OwnMail(parts.spool, parts.clock, settings.host_name)
    letters = NoticeLetters(Pages("Emailgency"), ROOT, https_port)
    return Notices(parts.directory, own_mail, Once(parts.redis), letters.notice)


def contacts(parts: Parts, accounts: CustomerAccounts, pages: Pages, settings: Settings, https_port: int) -> Contacts:
    links = Tickets(parts.redis, parts.clock, "contact link", ContactLink)
    own_mail = OwnMail(parts.spool, parts.clock, settings.host_name)
    letters = NoticeLetters(pages, ROOT, https_port)
    return Contacts(accounts, links, own_mail, letters.verification, parts.clock)
