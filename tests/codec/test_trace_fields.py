"""Trace fields that we write, and those we count."""

import email.utils

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emailgency.codec.trace import HeaderScan, Stamp, date, protocol, received, return_path


def stamp(**more):
    fields = {
        "helo": "a.example",
        "ip": "192.0.2.9",
        "host_name": "mx.example",
        "protocol": "ESMTP",
        "id": "abc",
        "at": 1.0,
    }
    return Stamp(**{**fields, **more})


def test_received_tells_who_how_and_when():
    assert received(stamp(tls="TLSv1.3 TLS_AES_256_GCM_SHA384", recipient="paul@mydomain.zz", protocol="ESMTPS")) == (
        b"Received: from a.example ([192.0.2.9])\r\n\tby mx.example with ESMTPS id abc\r\n"
        b"\t(TLSv1.3 TLS_AES_256_GCM_SHA384)\r\n\tfor <paul@mydomain.zz>;\r\n\tThu, 01 Jan 1970 00:00:01 +0000\r\n"
    )
    assert b"from [IPv6:2001:db8::1] ([IPv6:2001:db8::1])\r\n" in received(
        stamp(helo="[IPv6:2001:db8::1]", ip="2001:db8::1")
    )
    assert return_path("") == b"Return-Path: <>\r\n"


@given(st.text(max_size=300))
def test_attack_17_no_helo_breaks_the_field(helo):
    field = received(stamp(helo=helo))
    assert field.isascii()
    assert [line[:1] for line in field.split(b"\r\n")] == [b"R", b"\t", b"\t", b""]
    assert field.count(b"\r") == field.count(b"\n") == 3
    assert field.count(b"(") == field.count(b")")


@pytest.mark.parametrize("at", [0, 1_800_000_000, 4_000_000_000])
def test_dates_are_read_by_others_as_meant(at):
    assert email.utils.parsedate_to_datetime(date(at)).timestamp() == at


def test_the_words_of_rfc_3848_and_6531():
    def word(extended, smtputf8, tls, authenticated):
        return protocol(extended=extended, smtputf8=smtputf8, tls=tls, authenticated=authenticated)

    assert word(False, False, True, False) == "SMTP"
    assert word(True, False, False, False) == "ESMTP"
    assert word(True, False, True, False) == "ESMTPS"
    assert word(True, False, True, True) == "ESMTPSA"
    assert word(True, False, False, True) == "ESMTPA"
    assert word(True, True, True, True) == "UTF8SMTPSA"


@pytest.mark.parametrize(
    ("message", "header", "count"),
    [
        (b"\r\nReceived: body\r\n", b"", 0),
        (b"Received: a\r\n\r\nReceived: b\r\n", b"Received: a\r\n", 1),
        (
            b"RECEIVED:\r\n a\r\nX-Received: b\r\nreceived \t: c\r\n\r\n",
            b"RECEIVED:\r\n a\r\nX-Received: b\r\nreceived \t: c\r\n",
            2,
        ),
        (b"Subject: x\r\n Received: folded\r\n", b"Subject: x\r\n Received: folded\r\n", 0),
        (b"", b"", 0),
    ],
)
@pytest.mark.parametrize("piece", [1, 3, 1000])
def test_received_fields_are_counted_in_the_header_alone(message, header, count, piece):
    scan = HeaderScan()
    for at in range(0, len(message), piece):
        scan.feed(message[at : at + piece])
    assert (scan.octets, scan.received()) == (header, count)


def test_attack_25_a_header_without_end_is_looked_at_only_so_far():
    scan = HeaderScan(1000)
    for _ in range(100):
        scan.feed(b"Received: x\r\n" * 10)
    assert scan.cut
    assert len(scan.octets) == 1000
