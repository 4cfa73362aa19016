"""What the demo does: as an administrator, a few senders and the customer's server would, and it says so.

All of it goes through the front doors: the commands of the control socket and real SMTP. Told again on the same data
folder, it makes nothing twice and shows what is there.
"""

import os
import secrets
import smtplib
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall, deferLater
from twisted.logger import Logger

from emailgency.background import in_thread
from emailgency.command.exchange import exchange
from emailgency.command.failure import TROUBLE, CommandFailed
from emailgency.demo.customer_server import HOST, CustomerServer
from emailgency.demo.letters import DOMAIN, LETTERS, message
from emailgency.demo.picture import Doors, messages, picture
from emailgency.rules.routing import POSTMASTER
from emailgency.servers.control.command import Asker, Command, Commands, Nothing
from emailgency.servers.control.pending_commands import MOST_LISTED

NOTES = "demo.json"  # in the data folder: what a second start has to know
PEOPLE = ("paul", "ringo")
LOOK_EVERY = 0.2  # seconds between two looks at what is still pending, while it is given back
PATIENCE = 20.0  # seconds for a server that is waking up


class Notes(Struct):
    """`port` is the customer server's; passwords by local part."""

    port: int = 0
    passwords: dict[str, str] = {}


class Story:
    """`say` prints on the terminal."""

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        data: str,
        clock: Callable[[], float],
        say: Callable[[str], None],
        notes: Notes,
        server: CustomerServer,
    ) -> None:
        self._reactor = reactor
        self._data = data
        self._clock = clock
        self._say = say
        self._notes = notes
        self._owed: set[str] = set()  # ids that were pending when the customer's server came back
        self._watch = LoopingCall(self._look)
        self._watch.clock = reactor
        self.server = server

    def commands(self) -> Commands:
        """For the control socket."""
        return {"demo-server up": Command(Nothing, self._up), "demo-server down": Command(Nothing, self._down)}

    async def tell(self, doors: Doors) -> None:
        """From an empty or an earlier demo folder to mail that waits."""
        await self._prepare()
        fresh = not await self._pending()
        if fresh:
            await in_thread(self._reactor, deliver, doors.smtp, self._clock())
            await self._until(self._all_pending)
        pending = len(await self._pending())
        self._say(picture(doors, self._notes.passwords, pending, self.server.port, fresh))

    def stop(self) -> None:
        if self._watch.running:
            self._watch.stop()
        self.server.close()

    # ---- before: the customer, as an administrator makes him ------------------------------------------------

    async def _prepare(self) -> None:
        transport = f"{HOST}:{self.server.port}"
        if DOMAIN not in [customer["domain"] for customer in await self._ask("customer list")]:
            await self._ask("customer add", domain=DOMAIN, smtp_transport=transport)
            for person in PEOPLE:
                self._notes.passwords[person] = f"Demo-{secrets.token_hex(3)}"
                await self._ask("mailbox add", address=f"{person}@{DOMAIN}")
            self._notes.passwords[POSTMASTER] = f"Demo-{secrets.token_hex(3)}"
            for person, password in self._notes.passwords.items():
                await self._ask("password", address=f"{person}@{DOMAIN}", password=password)
            await self._ask("alias add", address=f"george@{DOMAIN}", mailbox=f"paul@{DOMAIN}")
            await self._ask("list add", address=f"beatles@{DOMAIN}", members=[f"{name}@{DOMAIN}" for name in PEOPLE])
            await self._ask("banish", address=f"i.am.spam@{DOMAIN}")
        elif self._notes.port != self.server.port:
            await self._ask("customer set", customer=DOMAIN, smtp_transport=transport)
        self._notes.port = self.server.port
        write_notes(self._data, self._notes)

    async def _all_pending(self) -> bool:
        return len(await self._pending()) >= sum("banished" not in letter.what for letter in LETTERS)

    # ---- the customer's server comes and goes ---------------------------------------------------------------

    async def _up(self, nothing: object, asker: Asker) -> object:
        if not self.server.is_up:
            self._owed |= set(await self._pending())
            self.server.up()
            self._say(f"The server of {DOMAIN} is back. Giving back {messages(len(self._owed))} ...")
            await self._ask("pending flush", customer=DOMAIN)
            if not self._watch.running:
                watching = self._watch.start(LOOK_EVERY, now=False)
                watching.addErrback(lambda failure: self._log.failure("watching the pending mail", failure))
        return {"server": f"{HOST}:{self.server.port}", "up": True, "pending": len(self._owed)}

    async def _down(self, nothing: object, asker: Asker) -> object:
        if self.server.is_up:
            await self.server.down()
            self._say(f"The server of {DOMAIN} is down again. Mail for it is kept and waits.")
        return {"server": f"{HOST}:{self.server.port}", "up": False}

    def _look(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._given_back())

    async def _given_back(self) -> None:
        """Say so once nothing of what was owed is pending or on its way any more."""
        listed = await self._ask("pending list", customer=DOMAIN)
        if any(hop["pending"] or hop["carrying"] for hop in listed["hops"]):
            return
        self._watch.stop()
        came_home = self.server.came_home
        given = [id for id in self._owed if came_home[id]]
        doubled = sum(came_home[id] - 1 for id in given)
        self._say(
            f"Everything is home: given back {len(given)}, lost {len(self._owed) - len(given)}, doubled {doubled}.\n"
            f"The copies in the mailboxes here stay readable. Nothing is pending for {DOMAIN}."
        )
        self._owed.clear()

    # ---- the front doors -------------------------------------------------------------------------------------

    async def _pending(self) -> list[str]:
        """Ids of what waits for the customer's server. What is just being tried is in no list: asked again then."""
        end = self._reactor.seconds() + PATIENCE
        while True:
            listed = await self._ask("pending list", customer=DOMAIN, limit=MOST_LISTED)
            if not any(hop["carrying"] for hop in listed["hops"]) or self._reactor.seconds() > end:
                return [message["id"] for message in listed["messages"]]
            await deferLater(self._reactor, LOOK_EVERY)

    async def _ask(self, command: str, **arguments: Any) -> Any:
        """A command as the command line gives it; one the server is not awake for yet is given again."""
        end = self._reactor.seconds() + PATIENCE
        while True:
            try:
                return await in_thread(self._reactor, exchange, self._data, command, arguments, lambda report: None)
            except CommandFailed as failed:
                if failed.status != TROUBLE or self._reactor.seconds() > end:
                    raise
            await deferLater(self._reactor, LOOK_EVERY)

    async def _until(self, condition: Callable[[], Any]) -> None:
        end = self._reactor.seconds() + PATIENCE
        while not await condition() and self._reactor.seconds() < end:
            await deferLater(self._reactor, LOOK_EVERY)


def deliver(port: int, at: float) -> None:
    """Bring all letters in over one real SMTP session, as the customers of our customer would. Blocks."""
    with smtplib.SMTP(HOST, port, local_hostname="senders.example", timeout=30) as session:
        for letter in LETTERS:
            session.sendmail(letter.sender, [letter.to], message(letter, at))


def read_notes(data: str) -> Notes:
    try:
        with open(os.path.join(data, NOTES), "rb") as file:
            return msgspec.json.decode(file.read(), type=Notes)
    except (FileNotFoundError, msgspec.DecodeError):
        return Notes()


def write_notes(data: str, notes: Notes) -> None:
    place = os.path.join(data, NOTES)
    with open(f"{place}.tmp", "wb", opener=_private) as file:
        file.write(msgspec.json.encode(notes))
    os.rename(f"{place}.tmp", place)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
