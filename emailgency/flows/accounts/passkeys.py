"""Passkeys of a mailbox or an operator: made in the browser by who has just logged in, used in place of password and
second factor, removed (WebAuthn level 2).

Each is good at the one host name of ours that it was made at, and its user was recognised by his own device (user
verification), so it stands for both factors. An answer counts once: its challenge was posed to this browser, and the
counter of a key that counts must have grown since. One that goes back tells of a copied key: it opens nothing.
"""

import secrets
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import msgspec
from msgspec import Struct
from twisted.logger import Logger

from emailgency.background import in_thread
from emailgency.codec import webauthn
from emailgency.codec.webauthn import Asking, Registered
from emailgency.flows.accounts.holders import Holder, account, as_of_now, called, replace
from emailgency.flows.accounts.login import Login, Principal, Source
from emailgency.model.directory import Mailbox, Operator, Passkey
from emailgency.model.errors import Busy, Invalid
from emailgency.model.verdict import Verdict
from emailgency.model.words import Words
from emailgency.store.directory.changes import Author
from emailgency.store.directory.directory import Directory
from emailgency.store.logins.passkey_challenges import PasskeyChallenges
from emailgency.store.logins.uses import Use, Uses

MOST = 10  # of one holder
_NAME = 60  # characters
_OPERATOR = b"operator:"
REFUSED = Verdict(535, "5.7.8", "the passkey was not accepted")


class PasskeyLine(Struct, frozen=True):
    """One for people. `use` None: never, as far as we know."""

    passkey: Passkey
    use: Use | None


class Place(Struct, frozen=True):
    """Where the browser is: a host of ours, and the origins that pages of ours have there."""

    host: str
    origins: tuple[str, ...]


class Passkeys:
    """Raises Invalid (in words for the person) and Temporary. `browser` is a token that only that browser holds."""

    _log = Logger()

    def __init__(
        self,
        directory: Directory,
        login: Login,
        challenges: PasskeyChallenges,
        uses: Uses,
        reactor: Any,
        clock: Callable[[], float],
        service: str,
    ) -> None:
        """`service`: what browsers show beside the account."""
        self._directory = directory
        self._login = login
        self._challenges = challenges
        self._uses = uses
        self._reactor = reactor
        self._clock = clock
        self._service = service

    # ---- of one holder -----------------------------------------------------------------------------------

    async def of(self, holder: Holder) -> list[PasskeyLine]:
        """The newest first."""
        kept = sorted(holder.passkeys, key=lambda one: -one.made_at)
        uses = await self._uses.of(account(holder), [one.id for one in kept])
        return [PasskeyLine(one, use) for one, use in zip(kept, uses, strict=True)]

    async def begin_adding(self, holder: Holder, browser: str, place: Place) -> bytes:
        """What the browser is to make one by (JSON)."""
        _check(holder, place)
        challenge = await self._challenges.pose(browser, place.host, account(holder))
        return webauthn.creation_options(
            Asking(place.host, place.origins, challenge.octets),
            service=self._service,
            handle=handle(holder),
            user=called(holder),
            present=[one.credential for one in holder.passkeys if one.host == place.host],
        )

    async def add(self, author: Author, holder: Holder, browser: str, place: Place, name: str, answer: str) -> Passkey:
        name = " ".join(name.split())[:_NAME]
        if not name:
            raise Invalid("Give the passkey a name, so that you know it again.")
        challenge = await self._challenges.take(browser, place.host, account(holder))
        if challenge is None:
            raise Invalid("That took too long. Begin again.")
        made: Registered = await in_thread(
            self._reactor, webauthn.registered, answer, Asking(place.host, place.origins, challenge.octets)
        )
        passkey = Passkey(
            id=secrets.token_hex(4),
            name=name,
            credential=made.credential,
            key=made.key,
            host=place.host,
            made_at=self._clock(),
            counter=made.counter,
        )
        async with self._directory.deciding:
            before = await as_of_now(self._directory, holder)
            _check(before, place)
            if any(one.credential == made.credential for one in before.passkeys):
                raise Invalid("This passkey is there already.")
            after = msgspec.structs.replace(before, passkeys=(*before.passkeys, passkey))
            what = f"passkey {passkey.id} ({name}) of {called(after)} added"
            await replace(self._directory, author, what, before, after)
        return passkey

    async def remove(self, author: Author, holder: Holder, id: str) -> Holder:
        """All sessions of the holder end: who has found or stolen the device may have begun one."""
        async with self._directory.deciding:
            before = await as_of_now(self._directory, holder)
            found = next((one for one in before.passkeys if one.id == id), None)
            if found is None:
                raise Invalid("There is no such passkey.")
            others = tuple(one for one in before.passkeys if one is not found)
            after = msgspec.structs.replace(before, passkeys=others, generation=before.generation + 1)
            what = f"passkey {id} ({found.name}) of {called(after)} removed"
            await replace(self._directory, author, what, before, after)
        return after

    # ---- at the login ------------------------------------------------------------------------------------

    async def begin_login(self, place: Place, ip: str) -> tuple[str, bytes]:
        """A token that the browser is to keep, and what it is to sign by any passkey of its user (JSON)."""
        if await self._challenges.too_many(ip):
            raise Busy("Too many ask for this just now. Try again in a moment.")
        browser = secrets.token_urlsafe(32)
        challenge = await self._challenges.pose(browser, place.host)
        return browser, webauthn.request_options(Asking(place.host, place.origins, challenge.octets))

    async def log_in(self, browser: str, place: Place, answer: str, source: Source) -> Principal | Operator | Verdict:
        """Whose passkey has signed what this browser was asked. Of whatever is wrong nobody learns what."""
        challenge = await self._challenges.take(browser, place.host)
        if challenge is None:
            return self._refuse("nothing was asked, or too long ago", source)
        try:
            claimed = webauthn.claimed(answer)
            holder = await self._holder(claimed.handle)
            passkey = _of(holder, claimed.credential)
            if holder is None or passkey is None or passkey.host != place.host:
                return self._refuse("unknown", source)
            asking = Asking(place.host, place.origins, challenge.octets)
            counter: int = await in_thread(self._reactor, webauthn.asserted, answer, asking, passkey.key)
            if not await self._counted(holder, passkey, counter, source):
                return self._refuse(f"the counter of {called(holder)} went back: is there a copy of the key?", source)
        except Invalid as error:
            return self._refuse(repr(str(error.__cause__ or error))[:200], source)
        self._uses.note(account(holder), passkey.id, source.ip)
        self._log.info("passkey: login of {whose} from {ip}", whose=called(holder), ip=source.ip)
        return holder if isinstance(holder, Operator) else await self._login.welcome(holder, source)

    async def _holder(self, told: bytes) -> Holder | None:
        if told.startswith(_OPERATOR):
            return next((one for one in await self._directory.operators() if handle(one) == told), None)
        try:
            return await self._directory.mailbox(told.decode("ascii"))
        except UnicodeDecodeError:
            return None

    async def _counted(self, holder: Holder, passkey: Passkey, counter: int, source: Source) -> bool:
        """Section 6.1.1. Of many logins at once with the same answer one is the first."""
        if not counter and not passkey.counter:
            return True
        async with self._directory.deciding:
            before = await as_of_now(self._directory, holder)
            now = _of(before, passkey.credential)
            if now is None or counter <= now.counter:
                return False
            grown = msgspec.structs.replace(now, counter=counter)
            after = msgspec.structs.replace(
                before, passkeys=tuple(grown if one is now else one for one in before.passkeys)
            )
            what = f"passkey {now.id} ({now.name}) of {called(after)} used"
            await replace(self._directory, Author(called(after), f"console {source.ip}"), what, before, after)
        return True

    def _refuse(self, why: str, source: Source) -> Verdict:
        self._log.info("passkey refused: {why}, from {ip}", why=why, ip=source.ip)
        return REFUSED


def handle(holder: Holder) -> bytes:
    """How authenticators know the account (section 14.6.1: nothing that names a person)."""
    if isinstance(holder, Mailbox):
        return holder.id.encode("ascii")
    return _OPERATOR + sha256(f"passkey of operator {holder.id}".encode()).hexdigest()[:32].encode("ascii")


def _of(holder: Holder | None, credential: str) -> Passkey | None:
    """The handle comes first, so that nobody's credential is looked for among those of others."""
    return next((one for one in holder.passkeys if one.credential == credential), None) if holder else None


def why_not(holder: Holder, host: str) -> Words | None:
    """None: one can be made for him there."""
    if not webauthn.may_host(host):
        return Words("Passkeys are made for a name: open the console by its name, not by an address of numbers.")
    if len(holder.passkeys) >= MOST:
        return Words("There are at most %(count)s passkeys. Remove one first.", {"count": MOST})
    return None


def _check(holder: Holder, place: Place) -> None:
    reason = why_not(holder, place.host)
    if reason is not None:
        raise Invalid(reason)
