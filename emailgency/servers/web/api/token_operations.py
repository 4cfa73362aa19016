"""Whose token it is, and the others of its mailbox. New ones are made by people: a stolen one makes no more."""

from typing import Any

from msgspec import Struct

from emailgency.flows.accounts.api_tokens import ApiTokens
from emailgency.flows.accounts.api_tokens import Line as TokenLine
from emailgency.servers.web.api.operation import Call, Caller, Missing, Operation, Who
from emailgency.store.directory.directory import Directory


class Me(Struct, frozen=True, kw_only=True):
    address: str
    domain: str
    administrator: bool
    token: str
    read_only: bool
    expires_at: float


class TokenShape(Struct, frozen=True, kw_only=True):
    """`last_used_at` null: never, as far as we know."""

    id: str
    name: str
    made_at: float
    made_by: str
    expires_at: float
    read_only: bool
    last_used_at: float | None
    last_used_from: str | None


class Tokens(Struct, frozen=True, kw_only=True):
    items: list[TokenShape]


class TokenOperations:
    def __init__(self, directory: Directory, tokens: ApiTokens) -> None:
        self._directory = directory
        self._tokens = tokens

    def operations(self) -> list[Operation]:
        same: dict[str, Any] = {"who": Who.USER, "tag": "Tokens"}
        return [
            Operation(method="GET", path="/me", deed=self.show_me, summary="Whose token this is", answer=Me, **same),
            Operation(
                method="GET",
                path="/tokens",
                deed=self.list_tokens,
                summary="Tokens of this mailbox",
                answer=Tokens,
                **same,
            ),
            Operation(method="DELETE", path="/tokens/<id>", deed=self.revoke_token, summary="Revoke a token", **same),
        ]

    async def show_me(self, caller: Caller, call: Call) -> Me:
        return Me(
            address=str(caller.mailbox.address),
            domain=caller.domain,
            administrator=caller.mailbox.administrator,
            token=caller.token.id,
            read_only=caller.token.read_only,
            expires_at=caller.token.expires_at,
        )

    async def list_tokens(self, caller: Caller, call: Call) -> Tokens:
        return Tokens(items=[shape(line) for line in await self._tokens.of(caller.mailbox)])

    async def revoke_token(self, caller: Caller, call: Call) -> None:
        if call.path["id"] not in {one.id for one in caller.mailbox.tokens}:
            raise Missing
        await self._tokens.revoke(caller.author, caller.mailbox.address, call.path["id"])


def shape(line: TokenLine) -> TokenShape:
    token, use = line.token, line.use
    return TokenShape(
        id=token.id,
        name=token.name,
        made_at=token.made_at,
        made_by=token.made_by,
        expires_at=token.expires_at,
        read_only=token.read_only,
        last_used_at=use.at if use else None,
        last_used_from=use.ip if use else None,
    )
