"""The second factor of the console: codes of a phone, recovery codes, and the way out for who has lost both
(RFC 6238, attack row 39).

A secret counts when its first code has been typed. Switching it on or off ends all sessions of the holder, as another
password does. Guesses are counted as those of passwords are (store.logins.failures), beside the five of one login.
"""

import secrets
from collections.abc import Callable

import msgspec
from msgspec import Struct
from twisted.logger import Logger

from emailgency.flows.accounts.holders import H, Holder, account, as_of_now, called, replace
from emailgency.flows.accounts.login import TOO_MANY, Source
from emailgency.model.directory import SecondFactor
from emailgency.model.errors import Invalid
from emailgency.model.verdict import Verdict
from emailgency.rules import one_time_codes as codes
from emailgency.rules import spoken_secrets as spoken
from emailgency.store.directory.changes import Author
from emailgency.store.directory.directory import Directory
from emailgency.store.keys.sealing import Sealing
from emailgency.store.logins.failures import Failures
from emailgency.store.logins.used_codes import UsedCodes

RECOVERY_CODES = 10
WRONG_CODE = Verdict(535, "5.7.8", "wrong code")


class Offer(Struct, frozen=True):
    """A secret to put into a phone: as text, and as what the picture says."""

    text: str
    uri: str


class SecondFactors:
    """Raises Invalid (in words for the person) and Temporary."""

    _log = Logger()

    def __init__(
        self,
        directory: Directory,
        sealing: Sealing,
        used: UsedCodes,
        failures: Failures,
        clock: Callable[[], float],
        service: str,
    ) -> None:
        """`service`: what phones show beside the account."""
        self._directory = directory
        self._sealing = sealing
        self._used = used
        self._failures = failures
        self._clock = clock
        self._service = service

    # ---- on ----------------------------------------------------------------------------------------------

    def propose(self, holder: Holder) -> str:
        """A new secret, sealed; it counts for nothing yet."""
        return self._sealing.seal(secrets.token_bytes(codes.SECRET), account(holder))

    def offer(self, holder: Holder, proposed: str) -> Offer | None:
        """None: it was never proposed to this holder."""
        secret = self._sealing.open(proposed, account(holder))
        name = called(holder)
        return None if secret is None else Offer(codes.spelled(secret), codes.uri(secret, self._service, name))

    async def switch_on(self, author: Author, holder: H, proposed: str, code: str) -> tuple[H, list[str]]:
        """With its first code; ten recovery codes, which nobody can show again. All sessions end."""
        secret, now = self._sealing.open(proposed, account(holder)), self._clock()
        step = None if secret is None else codes.step_of(secret, _digits(code), now)
        if step is None:
            raise Invalid("That is not the code your phone shows now. Check that its clock is right.")
        fresh, hashes = _new_codes(holder)
        factor = SecondFactor(secret=proposed, since=now, recovery=hashes)
        async with self._directory.deciding:
            before = await as_of_now(self._directory, holder)
            if before.second_factor is not None:
                raise Invalid("There is a second factor already.")
            await self._used.begin(account(before), step)
            after = msgspec.structs.replace(before, second_factor=factor, generation=before.generation + 1)
            await replace(self._directory, author, f"second factor of {called(after)} switched on", before, after)
        return after, fresh

    async def renew_recovery(self, author: Author, holder: H) -> tuple[H, list[str]]:
        """Ten new codes; those of before are worth nothing."""
        fresh, hashes = _new_codes(holder)
        async with self._directory.deciding:
            before = await as_of_now(self._directory, holder)
            factor = _factor(before)
            after = msgspec.structs.replace(before, second_factor=msgspec.structs.replace(factor, recovery=hashes))
            await replace(self._directory, author, f"new recovery codes of {called(after)} made", before, after)
        return after, fresh

    # ---- off ---------------------------------------------------------------------------------------------

    async def switch_off(self, author: Author, holder: H) -> H:
        """All sessions end; mail programs go on with their app passwords, and the password is good again too."""
        async with self._directory.deciding:
            before = await as_of_now(self._directory, holder)
            _factor(before)
            after = msgspec.structs.replace(before, second_factor=None, generation=before.generation + 1)
            await replace(self._directory, author, f"second factor of {called(after)} switched off", before, after)
        return after

    async def forget(self, author: Author, holder: H) -> H:
        """For who has lost his phone, and what is on it: his passkeys go as well. All sessions end."""
        async with self._directory.deciding:
            before = await as_of_now(self._directory, holder)
            if before.second_factor is None and not before.passkeys:
                raise Invalid("There is no second factor.")
            after = msgspec.structs.replace(before, second_factor=None, passkeys=(), generation=before.generation + 1)
            what = f"second factor of {called(after)} removed, with {len(before.passkeys)} passkeys"
            await replace(self._directory, author, what, before, after)
        return after

    # ---- at the login ------------------------------------------------------------------------------------

    async def check(self, holder: Holder, code: str, source: Source) -> Verdict | None:
        """None: it was a code of his phone, or a recovery code, and is worth nothing from now on."""
        now = self._clock()
        guess = f"{holder.generation} {codes.step_at(now)} {code}"  # one that is wrong now may be right in a minute
        attempt = await self._failures.take(f"second factor of {account(holder)}", source.ip, guess)
        if attempt is None:
            self._tell("refused, too many failures", holder, source)
            return TOO_MANY
        if attempt.repeated or not await self._spent(holder, code, source, now):
            self._failures.failed(attempt)
            self._tell("wrong", holder, source)
            return WRONG_CODE
        await self._failures.succeeded(attempt)
        return None

    async def _spent(self, holder: Holder, code: str, source: Source, now: float) -> bool:
        """Use it up, if it is one. However many come with the same code, it is good for one of them."""
        digits = _digits(code)
        if not (digits.isascii() and digits.isdecimal()):
            return await self._spent_recovery(holder, code, source)
        factor = holder.second_factor
        secret = self._sealing.open(factor.secret, account(holder)) if factor else None
        if secret is None:
            if factor is not None:
                self._log.error("ALERT the second factor of {whose} cannot be opened", whose=called(holder))
            return False
        step = codes.step_of(secret, digits, now)
        return step is not None and await self._used.take(account(holder), step, codes.step_at(now))

    async def _spent_recovery(self, holder: Holder, code: str, source: Source) -> bool:
        author = Author(called(holder), f"{'console' if source.service == 'web' else source.service} {source.ip}")
        async with self._directory.deciding:
            before = await as_of_now(self._directory, holder)
            factor = before.second_factor
            if factor is None or (place := spoken.found(code, account(before), factor.recovery)) is None:
                return False
            left = factor.recovery[:place] + factor.recovery[place + 1 :]
            after = msgspec.structs.replace(before, second_factor=msgspec.structs.replace(factor, recovery=left))
            what = f"recovery code of {called(after)} used, {len(left)} left"
            await replace(self._directory, author, what, before, after)
        return True

    def _tell(self, what: str, holder: Holder, source: Source) -> None:
        self._log.info(
            "second factor {what}: {whose} by {service} from {ip}",
            what=what,
            whose=called(holder),
            service=source.service,
            ip=source.ip,
        )


def _new_codes(holder: Holder) -> tuple[list[str], tuple[str, ...]]:
    """And what is kept of them."""
    fresh = [spoken.spelled(secrets.token_bytes(spoken.RECOVERY_CODE)) for _ in range(RECOVERY_CODES)]
    return fresh, tuple(spoken.hashed(code, account(holder)) for code in fresh)


def _factor(holder: Holder) -> SecondFactor:
    if holder.second_factor is None:
        raise Invalid("There is no second factor.")
    return holder.second_factor


def _digits(code: str) -> str:
    """Phones show them with a gap."""
    return "".join(code.split())
