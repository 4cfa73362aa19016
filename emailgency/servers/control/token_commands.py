"""`token add|list|remove`: what lets programs use the API in the name of a mailbox."""

from msgspec import Struct

from emailgency.codec.address import parse
from emailgency.flows.accounts.api_tokens import ApiTokens
from emailgency.flows.addresses.deciding import mailbox_at
from emailgency.servers.control.command import Asker, Command, Commands
from emailgency.store.directory.directory import Directory

DAYS = 90


class AddToken(Struct, frozen=True, forbid_unknown_fields=True):
    address: str
    name: str
    days: int = DAYS
    read_only: bool = False


class ListTokens(Struct, frozen=True, forbid_unknown_fields=True):
    address: str


class RemoveToken(Struct, frozen=True, forbid_unknown_fields=True):
    address: str
    id: str


class TokenCommands:
    def __init__(self, directory: Directory, tokens: ApiTokens) -> None:
        self._directory = directory
        self._tokens = tokens

    def table(self) -> Commands:
        return {
            "token add": Command(AddToken, self.add),
            "token list": Command(ListTokens, self.list),
            "token remove": Command(RemoveToken, self.remove),
        }

    async def add(self, asked: AddToken, asker: Asker) -> object:
        token, kept = await self._tokens.make(
            asker.author, parse(asked.address), asked.name, asked.days, read_only=asked.read_only
        )
        return {"id": kept.id, "expires_at": kept.expires_at, "token": token}

    async def list(self, asked: ListTokens, asker: Asker) -> object:
        mailbox = await mailbox_at(self._directory, parse(asked.address))
        return [
            {
                "id": line.token.id,
                "name": line.token.name,
                "read_only": line.token.read_only,
                "made_at": line.token.made_at,
                "made_by": line.token.made_by,
                "expires_at": line.token.expires_at,
                "last_used_at": line.use.at if line.use else None,
                "last_used_from": line.use.ip if line.use else None,
            }
            for line in await self._tokens.of(mailbox)
        ]

    async def remove(self, asked: RemoveToken, asker: Asker) -> object:
        token = await self._tokens.revoke(asker.author, parse(asked.address), asked.id)
        return {"id": token.id, "name": token.name}
