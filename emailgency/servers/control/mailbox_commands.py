"""`mailbox add|show|set|remove` and `password`."""

from typing import Any

from msgspec import UNSET, Struct, UnsetType

from emailgency.codec.address import parse
from emailgency.flows.accounts.passwords import Passwords
from emailgency.flows.addresses.addresses import Addresses
from emailgency.flows.addresses.deciding import mailbox_at
from emailgency.flows.addresses.forget_mail import ForgetMail
from emailgency.flows.addresses.mailbox_status import MailboxStatus
from emailgency.model.directory import Mailbox
from emailgency.servers.control.command import Asker, Command, Commands
from emailgency.store.directory.directory import Directory


class Named(Struct, frozen=True, forbid_unknown_fields=True):
    address: str


class AddMailbox(Struct, frozen=True, forbid_unknown_fields=True):
    address: str
    administrator: bool = False
    vip: bool = False
    forward: tuple[str, ...] = ()
    keep_copy: bool = True


class SetMailbox(Struct, frozen=True, forbid_unknown_fields=True):
    """What is left out stays."""

    address: str
    administrator: bool | UnsetType = UNSET
    vip: bool | UnsetType = UNSET
    smtp_denied: bool | UnsetType = UNSET
    forward: tuple[str, ...] | UnsetType = UNSET
    keep_copy: bool | UnsetType = UNSET
    expiration_delay: int | UnsetType = UNSET  # days; 0: the plan's


class SetPassword(Struct, frozen=True, forbid_unknown_fields=True):
    address: str
    password: str


class MailboxCommands:
    def __init__(
        self,
        directory: Directory,
        addresses: Addresses,
        passwords: Passwords,
        status: MailboxStatus,
        forget_mail: ForgetMail,
    ) -> None:
        self._directory = directory
        self._addresses = addresses
        self._passwords = passwords
        self._status = status
        self._forget_mail = forget_mail

    def table(self) -> Commands:
        return {
            "mailbox add": Command(AddMailbox, self.add),
            "mailbox show": Command(Named, self.show),
            "mailbox set": Command(SetMailbox, self.set),
            "mailbox remove": Command(Named, self.remove),
            "password": Command(SetPassword, self.set_password),
        }

    async def add(self, asked: AddMailbox, asker: Asker) -> object:
        mailbox = await self._addresses.add_mailbox(
            asker.author,
            parse(asked.address),
            administrator=asked.administrator,
            vip=asked.vip,
            forwards=asked.forward,
            keep_copy=asked.keep_copy,
        )
        return mailbox_fields(mailbox)

    async def set(self, asked: SetMailbox, asker: Asker) -> object:
        given = {
            "administrator": asked.administrator,
            "vip": asked.vip,
            "smtp_denied": asked.smtp_denied,
            "keep_copy": asked.keep_copy,
            "expiration_delay": asked.expiration_delay
            if asked.expiration_delay is UNSET
            else asked.expiration_delay or None,
            "forwards": asked.forward if asked.forward is UNSET else tuple(filter(None, asked.forward)),
        }
        changes: dict[str, Any] = {name: value for name, value in given.items() if value is not UNSET}
        return mailbox_fields(await self._addresses.set_mailbox(asker.author, parse(asked.address), **changes))

    async def show(self, asked: Named, asker: Asker) -> object:
        mailbox = await mailbox_at(self._directory, parse(asked.address))
        aliases, lists = await self._status.names(mailbox)
        more = {"id": mailbox.id, "aliases": aliases, "lists": lists, "folders": await self._status.folders(mailbox)}
        return mailbox_fields(mailbox) | more

    async def remove(self, asked: Named, asker: Asker) -> object:
        mailbox = await mailbox_at(self._directory, parse(asked.address))
        await self._addresses.remove(asker.author, mailbox.address)
        return {"address": str(mailbox.address)} | await self._forget_mail.of_mailbox(mailbox, asker.progress)

    async def set_password(self, asked: SetPassword, asker: Asker) -> object:
        mailbox = await self._passwords.set(asker.author, parse(asked.address), asked.password)
        return {"address": str(mailbox.address)}


def mailbox_fields(mailbox: Mailbox) -> dict[str, Any]:
    return {
        "address": str(mailbox.address),
        "password": mailbox.password is not None,
        "administrator": mailbox.administrator,
        "vip": mailbox.vip,
        "smtp_denied": mailbox.smtp_denied,
        "forward": list(mailbox.forwards),
        "keep_copy": mailbox.keep_copy,
        "expiration_delay": mailbox.expiration_delay,
        "shortened_to": mailbox.shortened_to,
    }
