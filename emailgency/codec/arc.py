"""The Authenticated Received Chain (RFC 8617): what was found out about a message at each of its stops, sealed.

Each stop adds a set of three fields with its instance number: what it found (ARC-Authentication-Results), a signature
over the message as it had it (ARC-Message-Signature), and a seal over all sets up to its own (ARC-Seal).
"""

from typing import TYPE_CHECKING

from msgspec import Struct

from emailgency.codec import signature, tag_list
from emailgency.codec.canonical import Field, Fields
from emailgency.codec.dkim import SIGNED, named, over, signed
from emailgency.codec.signature import Judgement, Refused, Signature

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

LONGEST = 50  # sets of one chain, RFC 8617 section 4.2.1
JUDGED = 10  # sets of a chain that is judged: each may cost a question and a signature; five stops are many
RESULTS, MESSAGE, SEAL = b"arc-authentication-results", b"arc-message-signature", b"arc-seal"
COVERED = (*SIGNED, b"dkim-signature")  # section 4.1.2: never the seals, and not what the next stop may take off


class Set(Struct, frozen=True, eq=False):
    """The fields of one stop."""

    results: Field
    message: Signature
    seal: Signature
    verdict: str  # cv=: "none", "pass" or "fail"


class Chain(Struct, frozen=True):
    """The sets in order. `broken`: why it cannot be judged, then `sets` is empty; `length`: the highest instance."""

    sets: tuple[Set, ...] = ()
    length: int = 0
    broken: str = ""

    @property
    def failed(self) -> bool:
        """The last stop has found it so, and nobody adds to it (section 5.1)."""
        return bool(self.sets) and self.sets[-1].verdict == "fail"

    @property
    def is_judged(self) -> bool:
        """Whether it depends on any key."""
        return 0 < len(self.sets) <= JUDGED and not self.failed

    def newest_key_names(self) -> set[str]:
        """Whose keys are needed first: when these do not fit, nothing depends on the others."""
        return {self.sets[-1].message.key_name, self.sets[-1].seal.key_name} if self.is_judged else set()

    def key_names(self) -> set[str]:
        """Whose keys are needed."""
        return self.newest_key_names() | {one.seal.key_name for one in self.sets if self.is_judged}


NONE = Chain()


def read(fields: Fields) -> Chain:
    """What is there of a chain: empty, broken, or one whose signatures are to be judged (section 5.2 steps 1 to 3)."""
    found: dict[bytes, dict[int, Field]] = {}
    length = 0
    for kind in (RESULTS, MESSAGE, SEAL):
        numbered = found[kind] = {}
        for field in fields.named(kind):
            number = _instance(field)
            if number is None or number in numbered:
                return Chain(length=length, broken="a field without its own instance")
            numbered[number] = field
            length = max(length, number)
    if not length:
        return NONE
    if any(numbered.keys() != set(range(1, length + 1)) for numbered in found.values()):
        return Chain(length=length, broken="a set is not whole")
    try:
        sets = tuple(_set(found, number) for number in range(1, length + 1))
    except Refused as error:
        return Chain(length=length, broken=error.judgement.reason)
    wrong = [one for number, one in enumerate(sets[:-1]) if one.verdict != ("pass" if number else "none")]
    if wrong or (sets[-1].verdict not in ({"none", "fail"} if length == 1 else {"pass", "fail"})):
        return Chain(length=length, broken="cv= does not follow")
    return Chain(sets, length)


def _instance(field: Field) -> int | None:
    """The number in i=, the first tag of results and any tag of the others."""
    text = field.value[: tag_list.LONGEST].decode("latin-1")
    for piece in text.split(";"):
        name, equals, value = piece.partition("=")
        if equals and name.strip() == "i":
            value = value.strip()
            if value.isascii() and value.isdigit() and len(value) <= 2 and 1 <= int(value) <= LONGEST:
                return int(value)
            return None
        if field.name == RESULTS:
            return None
    return None


def _set(found: dict[bytes, dict[int, Field]], number: int) -> Set:
    seal = found[SEAL][number]
    checked = signature.arc_seal(seal)
    verdict = tag_list.parse(seal.value.decode("ascii")).get("cv", "").lower()
    return Set(found[RESULTS][number], signature.arc_message(found[MESSAGE][number]), checked, verdict)


# ---- judging -----------------------------------------------------------------------------------------------------

NO_KEY = Judgement("temperror", "no key for now")


def judge(
    chain: Chain, fields: Fields, records: dict[str, str], body: dict[bool, tuple[bytes, int]], now: float
) -> Judgement:
    """The chain's status (section 5.2), or "temperror", or "policy" for one that is too long to be judged.

    `records`: of keys by name, "" for none; a missing one is not known now. `body`: digest and length by relaxed or
    not.
    """
    if chain.broken:
        return Judgement("fail", chain.broken)
    if not chain.sets:
        return Judgement("none")
    if chain.failed:
        return Judgement("fail", "an earlier stop found it broken")
    if not chain.is_judged:
        return Judgement("policy", f"more than {JUDGED} sets")
    last = chain.sets[-1].message
    if last.key_name not in records:
        return NO_KEY
    judgement = signature.judge(last, records[last.key_name], fields, body[last.relaxed_body], now)
    if judgement.result != "pass":
        return Judgement("fail", f"i={chain.length}: {judgement.reason}")
    for number in range(chain.length, 0, -1):  # the newest first, as section 5.2 step 6 has it
        sealed = seal_of(chain, number, records)
        if sealed is NO_KEY:
            return sealed
        if sealed.result != "pass":
            return Judgement("fail", f"seal {number}: {sealed.reason}")
    return Judgement("pass")


def seal_of(chain: Chain, number: int, records: dict[str, str]) -> Judgement:
    """Whether the seal of one set fits: that needs no body."""
    seal = chain.sets[number - 1].seal
    record = records.get(seal.key_name)
    if record is None:
        return NO_KEY
    octets = b"".join(
        one.results.relaxed + one.message.field.relaxed + one.seal.field.relaxed for one in chain.sets[: number - 1]
    )
    octets += chain.sets[number - 1].results.relaxed + chain.sets[number - 1].message.field.relaxed
    try:
        public = signature.key(record, seal)
    except Refused as error:
        return error.judgement
    return signature.verify(public, seal, octets + signature.unsigned(seal.field, in_relaxed_form=True))


# ---- sealing -----------------------------------------------------------------------------------------------------


def sealed(
    header: bytes,
    body: bytes,
    results: str,
    verdict: str,
    *,
    domain: str,
    selector: str,
    key: "RSAPrivateKey",
    at: float,
) -> bytes:
    """Our set, to stand before `header`; b"" when nobody may add to the chain (sections 5.1 and 5.1.2).

    `body`: digest of the relaxed body; `results`: of our Authentication-Results, with our name; `verdict`: "none",
    "pass" or "fail", what we found of the chain.
    """
    fields = Fields(header)
    chain = read(fields)
    if chain.failed or chain.length >= LONGEST:
        return b""
    instance = chain.length + 1
    who = f"d={domain}; s={selector}"
    found = f"ARC-Authentication-Results: i={instance}; {results}\r\n".encode()
    names = (*named(fields, COVERED), b"from")
    message = signed(
        "ARC-Message-Signature",
        f"i={instance}; a=rsa-sha256; c=relaxed/relaxed; {who};\r\n\tt={int(at)};\r\n{over(names, body)}",
        fields.covered(names, in_relaxed_form=True),
        key,
    )
    ours = Fields(found + message)
    sets: list[Field] = []
    if verdict != "fail":  # section 5.1.2: a failed chain is not sealed again, our own set is all that counts
        for one in chain.sets:
            sets += [one.results, one.message.field, one.seal.field]
    covered = b"".join(field.relaxed for field in (*sets, *ours.all))
    seal = signed("ARC-Seal", f"i={instance}; a=rsa-sha256; t={int(at)}; cv={verdict}; {who};\r\n", covered, key)
    return seal + message + found
