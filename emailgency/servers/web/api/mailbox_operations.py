"""Mailboxes (rows A1, B1 to B8)."""

from collections.abc import Callable
from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

from emailgency.flows.accounts.invitations import Invitations
from emailgency.flows.accounts.login import Login, Source
from emailgency.flows.accounts.passwords import Passwords
from emailgency.flows.addresses.address_deeds import AddressDeeds
from emailgency.flows.addresses.addresses import Addresses
from emailgency.flows.addresses.deciding import entry_at
from emailgency.flows.addresses.mailbox_status import FolderLine, MailboxStatus
from emailgency.model.directory import Mailbox
from emailgency.model.errors import Invalid
from emailgency.servers.web.api.operation import Call, Caller, Created, Missing, Operation, Paging, Who, cut
from emailgency.store.directory.directory import Directory

_MOST_INVITED = 1000


class MailboxShape(Struct, frozen=True, kw_only=True):
    """`password`: whether one is set. `expiration_delay` null: the plan's."""

    address: str
    password: bool
    administrator: bool
    vip: bool
    smtp_denied: bool
    forwards: list[str]
    keep_copy: bool
    expiration_delay: int | None


class MailboxPage(Struct, frozen=True, kw_only=True):
    items: list[MailboxShape]
    next: str | None


class MailboxWhole(Struct, frozen=True, kw_only=True):
    """`quota` in octets."""

    mailbox: MailboxShape
    aliases: list[str]
    lists: list[str]
    folders: list[FolderLine]
    quota: int


class NewMailbox(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    address: str
    administrator: bool = False
    vip: bool = False
    forwards: list[str] = []
    keep_copy: bool = True


class MailboxChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is left out stays. The first three are for administrators."""

    administrator: bool | UnsetType = UNSET
    vip: bool | UnsetType = UNSET
    smtp_denied: bool | UnsetType = UNSET
    forwards: list[str] | UnsetType = UNSET
    keep_copy: bool | UnsetType = UNSET
    expiration_delay: int | UnsetType | None = UNSET


class NewPassword(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`present` is asked for one's own mailbox."""

    password: str
    present: str = ""


class Invited(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    addresses: Annotated[list[str], Meta(min_length=1, max_length=_MOST_INVITED)]


class Invitation(Struct, frozen=True, kw_only=True):
    """`fault` "": the customer's server has it."""

    address: str
    fault: str


class InvitationResults(Struct, frozen=True, kw_only=True):
    items: list[Invitation]


_ADMINISTRATORS = ("administrator", "vip", "smtp_denied")
_FIELDS = (*_ADMINISTRATORS, "forwards", "keep_copy", "expiration_delay")


class MailboxOperations:
    def __init__(
        self,
        directory: Directory,
        addresses: Addresses,
        passwords: Passwords,
        status: MailboxStatus,
        deeds: AddressDeeds,
        invitations: Invitations,
        login: Login,
        clock: Callable[[], float],
    ) -> None:
        self._directory = directory
        self._addresses = addresses
        self._passwords = passwords
        self._status = status
        self._deeds = deeds
        self._invitations = invitations
        self._login = login
        self._clock = clock

    def operations(self) -> list[Operation]:
        one, all_ = "/mailboxes/<address>", "/mailboxes"
        administrator: dict[str, Any] = {"who": Who.ADMINISTRATOR, "tag": "Mailboxes"}
        user: dict[str, Any] = {"who": Who.USER, "tag": "Mailboxes"}
        return [
            Operation(
                method="GET",
                path=all_,
                deed=self.list_mailboxes,
                summary="All mailboxes",
                answer=MailboxPage,
                query=Paging,
                **administrator,
            ),
            Operation(
                method="POST",
                path=all_,
                deed=self.add_mailbox,
                summary="Make a mailbox",
                answer=MailboxShape,
                body=NewMailbox,
                makes=True,
                **administrator,
            ),
            Operation(
                method="POST",
                path="/invitations",
                deed=self.invite,
                summary="Mail links that set a password",
                answer=InvitationResults,
                body=Invited,
                **administrator,
            ),
            Operation(
                method="GET",
                path=one,
                deed=self.show_mailbox,
                summary="One mailbox, with its folders",
                answer=MailboxWhole,
                **user,
            ),
            Operation(
                method="PATCH",
                path=one,
                deed=self.change_mailbox,
                summary="Change what is given, keep the rest",
                answer=MailboxShape,
                body=MailboxChange,
                **user,
            ),
            Operation(
                method="PUT",
                path=f"{one}/password",
                deed=self.set_password,
                summary="Set a password; sessions of the mailbox end",
                body=NewPassword,
                **user,
            ),
            Operation(
                method="DELETE",
                path=one,
                deed=self.remove_mailbox,
                summary="Destroy a mailbox and its mail, for good",
                **administrator,
            ),
        ]

    async def list_mailboxes(self, caller: Caller, call: Call) -> MailboxPage:
        entries = await self._directory.entries(caller.customer)
        mailboxes = [entry for entry in entries if isinstance(entry, Mailbox)]
        rows, more = cut(mailboxes, lambda one: str(one.address), call.query)
        return MailboxPage(items=[shape(one) for one in rows], next=more)

    async def add_mailbox(self, caller: Caller, call: Call) -> Created:
        asked: NewMailbox = call.body
        mailbox = await self._addresses.add_mailbox(
            caller.author,
            caller.own(asked.address),
            administrator=asked.administrator,
            vip=asked.vip,
            forwards=asked.forwards,
            keep_copy=asked.keep_copy,
        )
        return Created(shape(mailbox), f"/mailboxes/{mailbox.address}")

    async def show_mailbox(self, caller: Caller, call: Call) -> MailboxWhole:
        mailbox = await self._mailbox(caller, call)
        aliases, lists = await self._status.names(mailbox)
        plan = await self._directory.plan((await self._directory.customer(mailbox.customer)).plan)
        return MailboxWhole(
            mailbox=shape(mailbox),
            aliases=aliases,
            lists=lists,
            folders=await self._status.folders(mailbox),
            quota=plan.vip_quota if mailbox.vip else plan.mailbox_quota,
        )

    async def change_mailbox(self, caller: Caller, call: Call) -> MailboxShape:
        mailbox = await self._mailbox(caller, call)
        changes = {name: value for name in _FIELDS if (value := getattr(call.body, name)) is not UNSET}
        if not caller.mailbox.administrator and changes.keys() & set(_ADMINISTRATORS):
            raise Invalid("Only administrators change rights.")
        return shape(await self._addresses.set_mailbox(caller.author, mailbox.address, **changes))

    async def set_password(self, caller: Caller, call: Call) -> None:
        """For one's own mailbox the present one must be known: a token that was stolen does not take it over."""
        mailbox = await self._mailbox(caller, call)
        if mailbox.id == caller.mailbox.id:
            await self._login.check_present(mailbox, call.body.present, Source("api", caller.ip))
        await self._passwords.set(caller.author, mailbox.address, call.body.password)

    async def remove_mailbox(self, caller: Caller, call: Call) -> None:
        mailbox = await self._mailbox(caller, call)
        await self._deeds.remove_mailbox(caller.author, mailbox.address)

    async def invite(self, caller: Caller, call: Call) -> InvitationResults:
        addresses = [caller.own(text) for text in dict.fromkeys(call.body.addresses)]
        sent = await self._invitations.invite(caller.author, caller.customer, addresses, self._clock())
        return InvitationResults(items=[Invitation(address=one.address, fault=one.fault) for one in sent])

    async def _mailbox(self, caller: Caller, call: Call) -> Mailbox:
        """A user's own, or any of the customer for an administrator. Who may not see one does not learn of it."""
        address = caller.own(call.path["address"])
        if not caller.mailbox.administrator and address != caller.mailbox.address:
            raise Missing
        if await self._directory.entry(caller.customer, address.local) is None:
            raise Missing
        entry = await entry_at(self._directory, address)
        if not isinstance(entry, Mailbox):
            raise Missing
        return entry


def shape(mailbox: Mailbox) -> MailboxShape:
    return MailboxShape(
        address=str(mailbox.address),
        password=mailbox.password is not None,
        administrator=mailbox.administrator,
        vip=mailbox.vip,
        smtp_denied=mailbox.smtp_denied,
        forwards=list(mailbox.forwards),
        keep_copy=mailbox.keep_copy,
        expiration_delay=mailbox.expiration_delay,
    )
