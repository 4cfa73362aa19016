"""Whatever strangers send in signatures, chains and policies: it is read or refused, in time, and never fails."""

import contextlib
import itertools
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emailgency.codec import arc, authentication_results, dmarc, signature, tag_list, tls_report
from emailgency.codec.canonical import BodyHash, Fields
from emailgency.codec.signature import Refused
from emailgency.codec.tag_list import Malformed
from emailgency.model.authentication import Checked
from emailgency.net.peer_identity import read_tlsa

NAME = "mx.emailgency.test"
TAGS = st.lists(
    st.sampled_from(
        [
            b"v=1",
            b"a=rsa-sha256",
            b"b=YQ==",
            b"bh=YQ==",
            b"d=x.zz",
            b"s=y",
            b"h=from:to",
            b"i=1",
            b"i=@x.zz",
            b"l=3",
            b"cv=none",
            b"cv=pass",
            b"c=relaxed/simple",
            b"x=99",
            b";",
            b"=",
            b"\r\n ",
            b"\xff",
            b"i=99999999999999999",
        ]
    ),
    max_size=14,
).map(b"; ".join)
FIELDS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                b"DKIM-Signature",
                b"ARC-Seal",
                b"ARC-Message-Signature",
                b"ARC-Authentication-Results",
                b"From",
                b"X",
                b"Authentication-Results",
            ]
        ),
        st.one_of(TAGS, st.binary(max_size=40).map(lambda octets: octets.replace(b"\r", b"").replace(b"\n", b""))),
    ),
    max_size=12,
).map(lambda fields: b"".join(name + b": " + value + b"\r\n" for name, value in fields))


@given(FIELDS)
@settings(max_examples=120, deadline=None)
def test_any_header_is_judged(header: bytes) -> None:
    fields = Fields(header)
    whole = dict.fromkeys((True, False), (b"x" * 32, 3))
    results = []
    for field in fields.named(b"dkim-signature"):
        try:
            one = signature.dkim(field)
        except Refused as error:
            results.append(error.judgement.result)
            continue
        assert signature.judge(one, "v=DKIM1; p=YQ==", fields, whole[True], 0.0).result != "pass"
    assert set(results) <= {"permerror", "policy"}
    chain = arc.read(fields)
    assert arc.judge(chain, fields, {}, whole, 0.0).result in ("none", "fail")
    assert authentication_results.results(header, NAME) is None or header.startswith(b"Auth")


@given(st.binary(max_size=200), st.text(max_size=200))
@settings(max_examples=120, deadline=None)
def test_any_octets_are_read_or_refused(octets: bytes, text: str) -> None:
    with contextlib.suppress(Malformed):
        tag_list.parse(text)
    dmarc.read((text, "v=DMARC1" + text))
    tls_report.recipients(("v=TLSRPTv1" + text,))
    read_tlsa(text)
    read_tlsa("3 1 1 " + octets.hex())
    authentication_results.without_forged(octets, NAME)
    Fields(octets)


@given(st.text(max_size=60), st.text(max_size=400), st.text(max_size=400))
@settings(max_examples=120, deadline=None)
def test_no_word_of_a_stranger_becomes_a_result(reason: str, value: str, other: str) -> None:
    checked = (
        Checked("spf", "fail", reason, (("smtp.mailfrom", value),)),
        Checked("arc", "none"),
        Checked("dkim", "fail", other, (("header.d", other),)),
    )
    field = authentication_results.write(NAME, checked)
    assert len(field) <= authentication_results.LONGEST
    assert field.isascii()
    assert field.endswith(b"\r\n")
    assert all(line.startswith(b"\t") for line in field[:-2].split(b"\r\n")[1:])
    found = authentication_results.results(field + b"From: a@b.zz\r\n", NAME)
    assert found is not None
    assert authentication_results.result(found, "spf") == "fail"
    assert authentication_results.result(found, "arc") == "none"


BODY = st.lists(
    st.sampled_from([b" ", b"\t", b"a", b"\r\n", b".", b"\r\n\r\n", b"b  c", b"\n", b"\r"]), max_size=40
).map(b"".join)


@given(BODY, st.lists(st.integers(0, 60), max_size=5), st.booleans())
@settings(max_examples=120, deadline=None)
def test_a_body_has_the_same_hash_and_length_however_it_is_cut(body: bytes, cuts: list[int], relaxed: bool) -> None:
    whole, pieces = BodyHash(in_relaxed_form=relaxed), BodyHash(in_relaxed_form=relaxed)
    whole.feed(body)
    edges = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    for start, end in itertools.pairwise(edges):
        pieces.feed(body[start:end])
    assert (whole.digest(), whole.length) == (pieces.digest(), pieces.length)


@pytest.mark.parametrize(
    "hostile",
    [
        lambda n: b"Authentication-Results: mx.emailgency.test;" + b"(" * n + b"\r\n",
        lambda n: b"Authentication-Results: x\r\n" * n,
        lambda n: b"ARC-Seal: i=1; " + b"x;" * n + b"\r\n",
        lambda n: b"ARC-Seal: i=1\r\n" * n,
        lambda n: b"A:" + b"\r\n\t" * n + b"\r\n",
        lambda n: b"From: " + b"," * n + b"\r\n",
    ],
)
def test_attack_29_reading_is_linear(hostile) -> None:
    def cost(octets: bytes) -> float:
        started = time.process_time()
        arc.read(Fields(octets))
        authentication_results.forged(octets, NAME)
        authentication_results.without_forged(octets, NAME)
        return time.process_time() - started

    few = min(cost(hostile(1_000)) for _ in range(3))
    many = min(cost(hostile(8_000)) for _ in range(3))
    assert many < 0.05 + 20 * few


def test_long_names_leave_out_reasons_first_then_results() -> None:
    long = ("header.d", "x" * 250)
    checked = tuple(Checked("dkim", "fail", "a reason", (long,)) for _ in range(5))
    field = authentication_results.write(NAME, checked)
    assert len(field) <= authentication_results.LONGEST
    assert field.count(b"dkim=fail") == 2
    assert authentication_results.write("x" * 800, checked).startswith(b"Authentication-Results: ")
