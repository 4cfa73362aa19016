"""International mail as told to clients that know ASCII only."""

from email.header import decode_header, make_header

from hypothesis import given
from hypothesis import strategies as st

from emailgency.codec.imap import downgrade
from emailgency.codec.mime.summary import summarise
from tests.support.dovecot import parse
from tests.support.growth import grows_linearly
from tests.support.mime_corpus import ENCODED, MESSAGES


def _envelope(*lines: str) -> bytes:
    return downgrade.envelope(summarise("\r\n".join([*lines, "", "body"]).encode()).envelope)


def _read(word: object) -> str:
    assert isinstance(word, bytes)
    assert word.isascii()
    return str(make_header(decode_header(word.decode())))


def test_texts_and_names_become_encoded_words() -> None:
    long = "Ünïcödé " * 30
    answer = _envelope(f"Subject: {long}", 'From: "Jürgen \\"J\\" Ä" <j@x.zz>, b@x.zz', "Message-ID: <1@x>")
    assert answer.isascii()
    (_, subject, ((name, _, local, domain), (second, *_)), *_, message_id), _ = parse(answer)
    assert _read(subject) == long.strip()
    assert max(map(len, subject.split(b" "))) <= 75
    assert (_read(name), local, domain) == ('Jürgen "J" Ä', b"j", b"x.zz")
    assert (second, message_id) == ("NIL", b"<1@x>")


def test_an_address_that_ascii_cannot_say_is_nobodys() -> None:
    answer = _envelope("From: jürgen@exämple.zz", "To: Paul <pául@x.zz>", "Cc: friends: ä@x.zz;")
    (_, _, (sender,), _, _, (paul,), (opening, friend, closing), *_), _ = parse(answer)
    assert _read(sender[0]) == "jürgen@exämple.zz"
    assert sender[2:] == [b"internationalized-address", b"international.invalid"]
    assert paul == [b"Paul", "NIL", b"internationalized-address", b"international.invalid"]
    assert (opening[2], closing[2], friend[3]) == (b"friends", "NIL", b"international.invalid")


def test_names_of_attached_files_become_encoded_words() -> None:
    structure = summarise('Content-Type: application/pdf; name="Grüße.pdf"\r\n\r\n'.encode()).bodystructure
    assert b'("name" "=?utf-8?b?R3LDvMOfZS5wZGY=?=")' in downgrade.structure(structure)


def test_what_is_no_utf8_stays_as_it_is() -> None:
    octets = summarise(b"Subject: gr\xfc\xdfe {5}\r\n\r\n").envelope
    assert downgrade.envelope(octets) == octets


def test_every_shape_stays_what_it_is_but_for_its_letters() -> None:
    for message in (MESSAGES | ENCODED).values():
        summary = summarise(message.replace(b"\0", b""))  # U+FFFD is told in the place of NUL
        assert parse(downgrade.envelope(summary.envelope)) == parse(summary.envelope)  # the corpus is not UTF-8
        for octets in (summary.bodystructure, summary.body):
            assert downgrade.structure(octets) == octets


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=60))
def test_any_subject_can_be_told(text: str) -> None:
    answer = _envelope("Subject: " + text.replace("\r", " ").replace("\n", " "), f"To: {text} <a@b.zz>")
    assert parse(answer)[1] == len(answer)


def test_attack_25_a_large_envelope_takes_linear_time() -> None:
    def work(size: int) -> None:
        downgrade.envelope(summarise(("To: " + "ä <ä@b.zz>, " * size + "\r\n\r\n").encode()).envelope)

    assert grows_linearly(work, 300, 1200)
