"""What the answer of a passkey proves, with real signatures, and what not (WebAuthn level 2, sections 7.1 and 7.2)."""

import json
import secrets

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emailgency.codec.webauthn import (
    Asking,
    Claimed,
    asserted,
    claimed,
    creation_options,
    may_host,
    registered,
    request_options,
    text,
)
from emailgency.model.errors import Invalid
from tests.support.authenticator import PRESENT, Authenticator

HOST, ORIGIN = "mydomainzz.emailgency.zz", "https://mydomainzz.emailgency.zz"


def asking(host: str = HOST) -> Asking:
    return Asking(host, (f"https://{host}", f"https://{host}:8443"), secrets.token_bytes(32))


def asked_to_make(question: Asking) -> bytes:
    return creation_options(question, service="Emailgency", handle=b"opaque", user="paul@mydomain.zz")


def key_of(device: Authenticator) -> str:
    question = asking()
    return registered(device.made(asked_to_make(question), ORIGIN), question).key


@pytest.mark.parametrize("algorithm", [-7, -8, -257])
@pytest.mark.parametrize("form", ["none", "packed"])
def test_a_key_is_made_and_proves_itself(algorithm: int, form: str) -> None:
    device, question = Authenticator(algorithm, step=1), asking()
    made = registered(device.made(asked_to_make(question), ORIGIN, format=form), question)
    assert (made.credential, made.counter) == (text(device.credential), 0)
    again = asking()
    answer = device.proof(request_options(again), f"{ORIGIN}:8443")
    assert claimed(answer) == Claimed(made.credential, b"opaque")
    assert asserted(answer, again, made.key) == 1


def test_a_key_is_asked_to_stay_with_its_user_and_to_know_him() -> None:
    question = asking()
    options = json.loads(
        creation_options(question, service="E", handle=b"opaque", user="paul@mydomain.zz", present=["abc"])
    )
    assert options["rp"]["id"] == HOST
    assert options["authenticatorSelection"] == {
        "residentKey": "required",
        "requireResidentKey": True,
        "userVerification": "required",
    }
    assert options["excludeCredentials"] == [{"type": "public-key", "id": "abc"}]
    assert json.loads(request_options(question)).keys() == {"rpId", "challenge", "timeout", "userVerification"}


@pytest.mark.parametrize(
    ("origin", "lies"),
    [
        ("https://evil.example", {}),
        (f"https://x.{HOST}", {}),
        ("http://mydomainzz.emailgency.zz", {}),
        (f"{ORIGIN}:9999", {}),
        (ORIGIN, {"host": "evil.example"}),
        (ORIGIN, {"host": "emailgency.zz"}),
        (ORIGIN, {"challenge": text(bytes(32))}),
        (ORIGIN, {"cross": True}),
    ],
)
def test_an_answer_for_another_page_host_or_question_proves_nothing(origin: str, lies: dict) -> None:
    device, question = Authenticator(), asking()
    with pytest.raises(Invalid):
        registered(device.made(asked_to_make(question), origin, **lies), question)
    key, again = key_of(device), asking()
    with pytest.raises(Invalid):
        asserted(device.proof(request_options(again), origin, **lies), again, key)


@pytest.mark.parametrize("flags", [PRESENT, 0, 0x04])
def test_a_user_who_was_not_verified_proves_nothing(flags: int) -> None:
    device = Authenticator()
    key = key_of(device)
    device.flags = flags
    question = asking()
    with pytest.raises(Invalid):
        registered(device.made(asked_to_make(question), ORIGIN), question)
    with pytest.raises(Invalid):
        asserted(device.proof(request_options(question), ORIGIN), question, key)


def test_another_key_proves_nothing() -> None:
    mine, other, question = Authenticator(), Authenticator(), asking()
    key = key_of(mine)
    other.credential = mine.credential
    with pytest.raises(Invalid):
        asserted(other.proof(request_options(question), ORIGIN), question, key)


def test_an_answer_of_one_kind_is_none_of_the_other() -> None:
    device, question = Authenticator(), asking()
    key = key_of(device)
    with pytest.raises(Invalid):
        asserted(device.made(asked_to_make(question), ORIGIN), question, key)
    with pytest.raises(Invalid):
        registered(device.proof(request_options(question), ORIGIN), question)


@pytest.mark.parametrize("form", ["android-safetynet", "tpm", "apple", "fido-u2f", 7])
def test_an_attestation_that_was_not_asked_for_is_refused(form: object) -> None:
    question = asking()
    with pytest.raises(Invalid):
        registered(Authenticator().made(asked_to_make(question), ORIGIN, format=form), question)


def test_a_credential_has_a_longest_id() -> None:
    device, question = Authenticator(), asking()
    device.credential = bytes(1023)
    registered(device.made(asked_to_make(question), ORIGIN), question)
    device.credential = bytes(1024)
    with pytest.raises(Invalid):
        registered(device.made(asked_to_make(question), ORIGIN), question)


NAMES = st.sampled_from(["id", "rawId", "type", "response", "clientDataJSON", "authenticatorData", "userHandle"])


@pytest.mark.parametrize(("handle", "is_one"), [(64, True), (65, False), (5000, False)])
def test_a_handle_has_a_longest_form(handle: int, is_one: bool) -> None:
    answer = Authenticator().proof(request_options(asking()), ORIGIN, handle=bytes(handle))
    if is_one:
        assert claimed(answer).handle == bytes(handle)
    else:
        with pytest.raises(Invalid):
            claimed(answer)


JSON = st.recursive(st.none() | st.text(max_size=9), lambda inner: st.dictionaries(NAMES, inner), max_leaves=8)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=40) | JSON.map(json.dumps))
def test_what_is_no_answer_is_refused(answer: str) -> None:
    question = asking()
    for read in (claimed, lambda one: registered(one, question), lambda one: asserted(one, question, text(b"\xa0"))):
        with pytest.raises(Invalid):
            read(answer)


@settings(max_examples=100, deadline=None)
@given(st.booleans(), st.integers(0, 1), st.floats(0, 0.99))
def test_a_damaged_answer_proves_nothing(creating: bool, which: int, share: float) -> None:
    device, question = DEVICE, asking()
    answer = json.loads(
        device.made(asked_to_make(question), ORIGIN) if creating else device.proof(request_options(question), ORIGIN)
    )
    field = "attestationObject" if creating else ("authenticatorData", "signature")[which]
    whole = answer["response"][field]
    answer["response"][field] = whole[: int(len(whole) * share)]
    with pytest.raises(Invalid):
        registered(json.dumps(answer), question) if creating else asserted(json.dumps(answer), question, KEY)


@pytest.mark.parametrize(("host", "may"), [(HOST, True), ("localhost", True), ("127.0.0.1", False), ("[::1]", False)])
def test_keys_are_made_for_names_only(host: str, may: bool) -> None:
    assert may_host(host) is may


DEVICE = Authenticator()
KEY = key_of(DEVICE)
