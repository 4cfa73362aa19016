"""`token add|list|remove`, `operator token|tokens|revoke`: what lets programs use the API in somebody's name."""

from msgspec import Struct

from emailgency.codec.address import parse
from emailgency.flows.accounts.api_tokens import ApiTokens, Line
from emailgency.flows.accounts.holders import operator_called
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


class OperatorToken(Struct, frozen=True, forbid_unknown_fields=True):
    operator: str
    name: str
    days: int = DAYS
    read_only: bool = False


class OperatorTokens(Struct, frozen=True, forbid_unknown_fields=True):
    operator: str


class RevokeToken(Struct, frozen=True, forbid_unknown_fields=True):
    operator: str
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
            "operator token": Command(OperatorToken, self.add_for_operator),
            "operator tokens": Command(OperatorTokens, self.list_of_operator),
            "operator revoke": Command(RevokeToken, self.revoke),
        }

    async def add(self, asked: AddToken, asker: Asker) -> object:
        token, kept = await self._tokens.make(
            asker.author, parse(asked.address), asked.name, asked.days, read_only=asked.read_only
        )
        return {"id": kept.id, "expires_at": kept.expires_at, "token": token}

    async def list(self, asked: ListTokens, asker: Asker) -> object:
        mailbox = await mailbox_at(self._directory, parse(asked.address))
        return [_shown(line) for line in await self._tokens.of(mailbox)]

    async def remove(self, asked: RemoveToken, asker: Asker) -> object:
        token = await self._tokens.revoke(asker.author, parse(asked.address), asked.id)
        return {"id": token.id, "name": token.name}

    async def add_for_operator(self, asked: OperatorToken, asker: Asker) -> object:
        token, kept = await self._tokens.make_for_operator(
            asker.author, asked.operator, asked.name, asked.days, read_only=asked.read_only
        )
        return {"id": kept.id, "expires_at": kept.expires_at, "token": token}

    async def list_of_operator(self, asked: OperatorTokens, asker: Asker) -> object:
        operator = await operator_called(self._directory, asked.operator)
        return [_shown(line) for line in await self._tokens.of(operator)]

    async def revoke(self, asked: RevokeToken, asker: Asker) -> object:
        token = await self._tokens.revoke_of_operator(asker.author, asked.operator, asked.id)
        return {"id": token.id, "name": token.name}


def _shown(line: Line) -> dict[str, object]:
    return {
        "id": line.token.id,
        "name": line.token.name,
        "read_only": line.token.read_only,
        "made_at": line.token.made_at,
        "made_by": line.token.made_by,
        "expires_at": line.token.expires_at,
        "last_used_at": line.use.at if line.use else None,
        "last_used_from": line.use.ip if line.use else None,
    }
