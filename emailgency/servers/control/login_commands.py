"""`app-password add|list|remove` and `second-factor show|remove`: how people and their mail programs log in."""

from msgspec import Struct

from emailgency.codec.address import parse
from emailgency.flows.accounts.app_passwords import AppPasswords
from emailgency.flows.accounts.holders import Holder, operator_called
from emailgency.flows.accounts.second_factors import SecondFactors
from emailgency.flows.addresses.deciding import mailbox_at
from emailgency.servers.control.command import Asker, Command, Commands
from emailgency.store.directory.directory import Directory


class AddAppPassword(Struct, frozen=True, forbid_unknown_fields=True):
    address: str
    name: str


class ListAppPasswords(Struct, frozen=True, forbid_unknown_fields=True):
    address: str


class RemoveAppPassword(Struct, frozen=True, forbid_unknown_fields=True):
    address: str
    id: str


class Whose(Struct, frozen=True, forbid_unknown_fields=True):
    """An address, or an operator's name."""

    who: str


class LoginCommands:
    def __init__(self, directory: Directory, app_passwords: AppPasswords, factors: SecondFactors) -> None:
        self._directory = directory
        self._app_passwords = app_passwords
        self._factors = factors

    def table(self) -> Commands:
        return {
            "app-password add": Command(AddAppPassword, self.add),
            "app-password list": Command(ListAppPasswords, self.list),
            "app-password remove": Command(RemoveAppPassword, self.remove),
            "second-factor show": Command(Whose, self.show_factor),
            "second-factor remove": Command(Whose, self.remove_factor),
        }

    async def add(self, asked: AddAppPassword, asker: Asker) -> object:
        secret, kept = await self._app_passwords.make(asker.author, parse(asked.address), asked.name)
        return {"id": kept.id, "name": kept.name, "password": secret}

    async def list(self, asked: ListAppPasswords, asker: Asker) -> object:
        mailbox = await mailbox_at(self._directory, parse(asked.address))
        return [
            {
                "id": line.kept.id,
                "name": line.kept.name,
                "made_at": line.kept.made_at,
                "last_used_at": line.use.at if line.use else None,
                "last_used_from": line.use.ip if line.use else None,
            }
            for line in await self._app_passwords.of(mailbox)
        ]

    async def remove(self, asked: RemoveAppPassword, asker: Asker) -> object:
        removed = await self._app_passwords.remove(asker.author, parse(asked.address), asked.id)
        return {"id": removed.id, "name": removed.name}

    async def show_factor(self, asked: Whose, asker: Asker) -> object:
        return _shown(asked.who, await self._holder(asked.who))

    async def remove_factor(self, asked: Whose, asker: Asker) -> object:
        return _shown(asked.who, await self._factors.forget(asker.author, await self._holder(asked.who)))

    async def _holder(self, who: str) -> Holder:
        if "@" in who:
            return await mailbox_at(self._directory, parse(who))
        return await operator_called(self._directory, who)


def _shown(who: str, holder: Holder) -> dict[str, object]:
    factor = holder.second_factor
    return {
        "who": who,
        "on": factor is not None,
        "since_at": factor.since if factor else None,
        "recovery_codes": len(factor.recovery) if factor else 0,
        "passkeys": len(holder.passkeys),
    }
