"""What an address is, and that nothing else ever gets past the codec."""

import contextlib
import time
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emailgency.codec.address import as_addressed, opaque, parse, parse_domain, wire
from emailgency.model.address import Address
from emailgency.model.errors import Invalid

GOOD = [
    ("paul@example.zz", "paul", "example.zz"),
    ("PAUL@Example.ZZ", "paul", "example.zz"),
    ("o'neil+x=y%z@a-b.zz", "o'neil+x=y%z", "a-b.zz"),
    ('"Paul"@example.zz', "paul", "example.zz"),
    ('"a b"@example.zz', "a b", "example.zz"),
    ('"a\\"b\\\\"@example.zz', 'a"b\\', "example.zz"),
    ('"a@b"@example.zz', "a@b", "example.zz"),
    ("info@Exämple.zz", "info", "xn--exmple-cua.zz"),
    ("info@xn--exmple-cua.zz", "info", "xn--exmple-cua.zz"),
    ("info@ｅxample．zz", "info", "example.zz"),
    ("Élise@example.zz", "Élise", "example.zz"),  # only ASCII letters fold
    ("e\u0301lise@example.zz", "élise", "example.zz"),  # but letters compose
    ("@relay.zz,@two.zz:paul@example.zz", "paul", "example.zz"),
    ("paul@[192.0.2.1]", "paul", "[192.0.2.1]"),
    ("paul@[IPv6:2001:DB8::1]", "paul", "[IPv6:2001:db8::1]"),
    ("a/b@example.zz", "a/b", "example.zz"),
    ("x@under_score.zz", "x", "under_score.zz"),
    ("x" * 64 + "@example.zz", "x" * 64, "example.zz"),
]

BAD = [
    *("", "@", "paul", "paul@", "@example.zz", '""@example.zz', "a..b@example.zz", ".a@example.zz", "a.@example.zz"),
    *("a b@example.zz", 'a"b@example.zz', "a@b@example.zz", "<paul@example.zz>", "paul@example.zz "),
    *("paul@example.zz.", "paul@.zz", "paul@a..zz", "paul@-a.zz", "paul@a-.zz", "paul@" + "a" * 64 + ".zz"),
    *("x" * 65 + "@example.zz", '"' + "é" * 33 + '"@example.zz', "x@" + ".".join(["abcdefg"] * 40)),
    *("paul@192.0.2.1", "paul@[192.0.2]", "paul@[IPv6:fe80::1%eth0]", "paul@[x]", "paul@[192.0.2.1", "paul@[]"),
    *("@a.zz:", "@a.zz,paul@b.zz", "@a.zz,:x@b.zz", "@:x@b.zz", "@a zz:x@b.zz"),
    *("a@b＠c.zz", "a@c.zz\u3002\u3002d", "a@\u200b.zz", "a@" + "\u0301" + "x.zz"),
    *(
        "p\u202eaul@example.zz",
        "p\u00a0aul@example.zz",
        "p\ufeffaul@example.zz",
        "p\ud800aul@example.zz",
        "\u212aai@example.zz",
    ),
]


@pytest.mark.parametrize(("text", "local", "domain"), GOOD)
def test_good_addresses_have_one_canonical_form(text: str, local: str, domain: str) -> None:
    address = parse(text)
    assert address == Address(local, domain)
    assert parse(wire(address)) == address


@pytest.mark.parametrize("text", BAD)
def test_bad_addresses_are_refused_in_words(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse(text)
    assert str(caught.value)


@pytest.mark.parametrize("code", [*range(32), *range(127, 160)])
def test_attack_17_no_control_character_gets_past(code: int) -> None:
    for text in (f"a{chr(code)}b@c.zz", f'"a{chr(code)}b"@c.zz', f'"a\\{chr(code)}b"@c.zz', f"a@b{chr(code)}c.zz"):
        with pytest.raises(Invalid):
            parse(text)
        with pytest.raises(Invalid):
            as_addressed(text)


@pytest.mark.parametrize("local", ["..", ".", "../x", "x/../y", "x/..", "/..", "./x", "x/.", "../../../etc/passwd"])
def test_attack_30_no_path_gets_past(local: str) -> None:
    for text in (f"{local}@c.zz", f'"{local}"@c.zz', f'"{local.replace(".", chr(92) + ".")}"@c.zz'):
        with pytest.raises(Invalid):
            parse(text)


@pytest.mark.parametrize("local", ["a", "a/b", "a b", "x" * 64, "é" * 32, "cur", "new", "con", "a:2,S", "\\\\"])
def test_attack_30_the_name_of_a_folder_tells_nothing(local: str) -> None:
    name = opaque(parse(f'"{local}"@c.zz'))
    assert len(name) == 32
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz234567")


def test_attack_30_different_addresses_have_different_folders() -> None:
    texts = ["a@b.zz", "b@a.zz", '"a@b.zz"@a.zz', "a.b@zz.zz", "a@b.zzz", "é@b.zz", "e@b.zz"]
    assert len({opaque(parse(text)) for text in texts}) == len(texts)


@pytest.mark.parametrize("pair", ["İ i", "ı i", "ß ss", "ﬀ ff", "ſ s", "Ａ a", "ª a", "É é"])
def test_no_letter_folds_into_that_of_another(pair: str) -> None:
    one, other = pair.split()
    assert parse(f"x{one}@example.zz").local != parse(f"x{other}@example.zz").local


def test_as_addressed_keeps_the_spelling_and_takes_another_domain() -> None:
    assert as_addressed("Paul.M@Example.ZZ") == "Paul.M@example.zz"
    assert as_addressed('"Paul M"@exämple.zz') == '"Paul M"@xn--exmple-cua.zz'
    assert as_addressed("@a.zz:Paul@alt.zz", "main.zz") == "Paul@main.zz"
    assert as_addressed('"a@b"@alt.zz', "main.zz") == '"a@b"@main.zz'


@pytest.mark.parametrize("text", ["localhost", "a_b.zz", "[192.0.2.1]", "192.0.2.1", "", "a.zz.", "a zz.zz", "-a.zz"])
def test_a_domain_of_ours_is_a_full_name(text: str) -> None:
    with pytest.raises(Invalid):
        parse_domain(text)


def test_domains_have_one_form() -> None:
    assert parse_domain("Exämple.ZZ") == parse_domain("XN--exmple-cua.zz") == "xn--exmple-cua.zz"
    assert parse_domain("faß.zz") == "xn--fa-hia.zz"  # IDNA 2008: not fass.zz


PIECES = st.lists(
    st.one_of(
        st.text(max_size=8),
        st.sampled_from(
            ['"', "\\", "@", ".", "..", "/", "%", "!", ":", ",", "[", "]", "IPv6:", "xn--", "a", "zz", "é"]
        ),
    ),
    max_size=30,
).map("".join)


@settings(max_examples=400, deadline=None)
@given(PIECES)
def test_anything_is_an_address_or_invalid_and_canonical_forms_stay(text: str) -> None:
    try:
        address = parse(text)
    except Invalid:
        return
    assert parse(wire(address)) == address
    assert parse(as_addressed(text)) == address
    assert address.domain.isascii()
    assert not any(unicodedata.category(character) in ("Cc", "Cs") for character in str(address))
    assert len(address.local.encode()) <= 64
    assert len(wire(address)) <= 2 * 64 + 3 + 255


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=40))
def test_every_domain_is_canonical_or_invalid(text: str) -> None:
    try:
        domain = parse_domain(text)
    except Invalid:
        return
    assert parse_domain(domain) == domain


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "a.",
        ".",
        '"',
        "\\",
        '\\"',
        "@",
        "@a",
        "@a,",
        "-",
        "a-",
        "%",
        "[",
        ":",
        "é",
        "\u0301",
        "xn--",
        "\u3002",
        "a@",
    ],
)
def test_doubling_an_address_never_more_than_doubles_its_time(piece: str) -> None:
    def cost(count: int) -> float:
        """Seconds, the best of several rounds, so that the noise of a busy machine does not count."""
        texts = [piece * count + end for end in ("", "@b.zz", '"@b.zz', "\x01")]
        best = float("inf")
        for _ in range(20):
            started = time.perf_counter()
            for text in texts:
                with contextlib.suppress(Invalid):
                    parse(text)
            best = min(best, time.perf_counter() - started)
        return best

    whole = 960 // len(piece)  # just below the bound on anything looked at
    assert cost(whole) < 3 * cost(whole // 2) + 0.0002
    assert cost(1_000_000) < 0.002  # refused by its length
