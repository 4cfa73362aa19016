"""What makes the customer's own server believe us, and a test of it (row G7)."""

from typing import Any

from msgspec import Struct

from emailgency.flows.relaying.relay import RelayFlow
from emailgency.flows.trust.trust_letters import Sealers, TrustLetters
from emailgency.rules.trust_snippets import Snippet, snippets
from emailgency.servers.web.api.operation import Call, Caller, Operation, Who
from emailgency.store.directory.directory import Directory


class SnippetShape(Struct, frozen=True, kw_only=True):
    """For a `server` of one kind, into the file `place`; `words` say where in it."""

    server: str
    place: str
    words: str
    text: str


class TrustShape(Struct, frozen=True, kw_only=True):
    """`us`: what his server must know of us. `snippets`: how other servers are told."""

    us: Sealers
    snippets: list[SnippetShape]


class Tried(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An address that exists on his own server."""

    address: str


class TestedShape(Struct, frozen=True, kw_only=True):
    """What his server said to a letter in our name and to one in a stranger's; `trust`: good, doubtful or bad."""

    own: str
    foreign: str
    trust: str
    words: str


class TrustOperations:
    def __init__(self, directory: Directory, trust: TrustLetters, relay: RelayFlow) -> None:
        self._directory = directory
        self._trust = trust
        self._relay = relay

    def operations(self) -> list[Operation]:
        same: dict[str, Any] = {"who": Who.ADMINISTRATOR, "tag": "Trust"}
        return [
            Operation(
                method="GET",
                path="/trust",
                deed=self.show_trust,
                summary="Who we are, and how servers are told to trust us",
                answer=TrustShape,
                **same,
            ),
            Operation(
                method="POST",
                path="/trust/test",
                deed=self.test_trust,
                summary="Send two test letters, and hear what the server says to each",
                answer=TestedShape,
                body=Tried,
                **same,
            ),
            Operation(
                method="POST",
                path="/trust/accept",
                deed=self.accept_server,
                summary="Whoever answers now is the customer's server",
                **same,
            ),
        ]

    async def show_trust(self, caller: Caller, call: Call) -> TrustShape:
        us = await self._trust.sealers(await self._directory.customer(caller.customer))
        told = snippets(us.name, us.addresses, us.seal if us.switched_on else "")
        return TrustShape(us=us, snippets=[_snippet(one) for one in told])

    async def test_trust(self, caller: Caller, call: Call) -> TestedShape:
        tested = await self._trust.test(await self._directory.customer(caller.customer), call.body.address)
        return TestedShape(own=tested.own, foreign=tested.foreign, trust=tested.trust.value, words=str(tested.words))

    async def accept_server(self, caller: Caller, call: Call) -> None:
        await self._relay.accept_server(caller.customer)


def _snippet(one: Snippet) -> SnippetShape:
    return SnippetShape(server=one.server, place=one.place, words=str(one.words or ""), text=one.text)
