"""A directory with customers in it, for tests of flows: everything real, hashes cheap."""

from typing import Any

from emailgency.codec.address import parse
from emailgency.codec.srs import Srs
from emailgency.flows.accounts.customer_accounts import CustomerAccounts, OperatorLimits
from emailgency.flows.accounts.login import Login, LoginSettings
from emailgency.flows.accounts.passwords import Passwords
from emailgency.flows.addresses.addresses import Addresses
from emailgency.flows.receiving.resolve import Resolver
from emailgency.model.directory import Customer, Mailbox
from emailgency.store.directory.changes import Author
from emailgency.store.logins.credentials import Credentials, CredentialSettings
from emailgency.store.logins.failures import Failures, FailureSettings
from tests.support.directory import RealDirectory

AUTHOR = Author("tests", "command line")
PASSWORD = "correct horse 7"
CHEAP = CredentialSettings(memory=64, passes=1)


class RealCustomers(RealDirectory):
    """`await begin()`, then the flows."""

    async def begin(self, login: LoginSettings | None = None, failures: FailureSettings | None = None) -> None:
        from twisted.internet import reactor

        await self.start()
        limits = OperatorLimits()
        self.now = 1_800_000_000.0
        self.accounts = CustomerAccounts(self.directory, "emailgency.example", limits)
        self.addresses = Addresses(self.directory, limits)
        self.credentials = Credentials(reactor, CHEAP)
        self.passwords = Passwords(self.directory, self.credentials)
        self.failures = Failures(self.connection, lambda: self.now, failures or FailureSettings())
        self.login = Login(
            self.directory,
            self.credentials,
            self.failures,
            reactor,
            login or LoginSettings(delay=0.0),
        )
        self.resolver = Resolver(self.directory, Srs(b"tests"), lambda: self.now)

    async def stop(self) -> None:
        self.credentials.stop()
        await super().stop()

    async def customer(self, domain: str = "mydomain.zz", **given: Any) -> Customer:
        return await self.accounts.add(AUTHOR, domain, **given)

    async def mailbox(self, address: str, password: str | None = None, **given: Any) -> Mailbox:
        mailbox = await self.addresses.add_mailbox(AUTHOR, parse(address), **given)
        return mailbox if password is None else await self.passwords.set(AUTHOR, mailbox.address, password)
