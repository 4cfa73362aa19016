"""`import`, `reconstruct` and `wipe-mailbox`."""

from typing import Literal

from msgspec import Struct

from emailgency.codec.address import parse
from emailgency.flows.addresses.deciding import mailbox_at
from emailgency.flows.addresses.forget_mail import ForgetMail
from emailgency.flows.addresses.import_addresses import ImportAddresses
from emailgency.flows.addresses.import_rows import read
from emailgency.flows.upkeep.reconstruct import Reconstruction
from emailgency.servers.control.command import Asker, Command, Commands
from emailgency.store.directory.directory import Directory


class Import(Struct, frozen=True, forbid_unknown_fields=True):
    form: Literal["csv", "json"]
    text: str


class Named(Struct, frozen=True, forbid_unknown_fields=True):
    address: str


class UpkeepCommands:
    def __init__(
        self,
        directory: Directory,
        importing: ImportAddresses,
        reconstruction: Reconstruction,
        forget_mail: ForgetMail,
    ) -> None:
        self._directory = directory
        self._importing = importing
        self._reconstruction = reconstruction
        self._forget_mail = forget_mail

    def table(self) -> Commands:
        return {
            "import": Command(Import, self.import_),
            "reconstruct": Command(Named, self.reconstruct),
            "wipe-mailbox": Command(Named, self.wipe),
        }

    async def import_(self, asked: Import, asker: Asker) -> object:
        return await self._importing.run(asker.author, read(asked.form, asked.text), asker.progress)

    async def reconstruct(self, asked: Named, asker: Asker) -> object:
        mailbox = await mailbox_at(self._directory, parse(asked.address))
        done = await self._reconstruction.of_mailbox(mailbox, asker.progress)
        return {"address": str(mailbox.address)} | done

    async def wipe(self, asked: Named, asker: Asker) -> object:
        mailbox = await mailbox_at(self._directory, parse(asked.address))
        return {"address": str(mailbox.address)} | await self._forget_mail.wipe(mailbox, asker.progress)
