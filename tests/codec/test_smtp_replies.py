"""Replies of SMTP servers, however they come."""

import gc
import time

import pytest

from emailgency.codec.smtp.reply_reader import LINE_LIMIT, LINES_LIMIT, Malformed, ReplyReader

REPLIES = [
    (b"250 ok\r\n", 250, "", "ok"),
    (b"250\r\n", 250, "", ""),
    (b"550-5.1.1 no such\r\n550 5.1.1 user\r\n", 550, "5.1.1", "no such user"),
    (b"450 5.1.1 contradiction\r\n", 450, "", "5.1.1 contradiction"),
    (b"220 t\xc3\xa4st \x1b[31m\r\n", 220, "", "t??st ?[31m"),
    (b"250 bare\n", 250, "", "bare"),
]


@pytest.mark.parametrize(("octets", "code", "enhanced", "text"), REPLIES)
def test_a_reply_is_read_whole_octet_by_octet_and_with_octets_left_over(octets, code, enhanced, text):
    whole = ReplyReader().feed(octets)
    reader = ReplyReader()
    single = [reply for octet in octets for reply in reader.feed(bytes([octet]))]
    trailing = ReplyReader()
    more = trailing.feed(octets + b"25")
    assert whole == single == more
    assert (whole[0].code, whole[0].enhanced, whole[0].text) == (code, enhanced, text)
    assert not trailing.between_replies


@pytest.mark.parametrize(
    "octets",
    [
        b"hello\r\n",
        b"\r\n",
        b"99 x\r\n",
        b"250x\r\n",
        b"250-a\r\n251 b\r\n",
        b"650 x\r\n",
        b"250 a\rb\r\n",
        b"2" * (LINE_LIMIT + 1),
    ],
)
def test_nonsense_is_no_reply(octets):
    with pytest.raises(Malformed):
        ReplyReader().feed(octets)


@pytest.mark.parametrize("octets", [b"220-welcome\r\n" * (LINES_LIMIT + 1), b"220-" * LINE_LIMIT])
def test_an_endless_banner_is_cut_off(octets):
    with pytest.raises(Malformed):
        ReplyReader().feed(octets)


@pytest.mark.parametrize("unit", [b"250-x\r\n" * 100 + b"250 x\r\n", b"250 ok\r\n", b"250 " + b"x" * 4000 + b"\r\n"])
def test_double_the_input_never_takes_more_than_double_the_time(unit):
    def seconds(count):
        best = 9.0
        for _ in range(5):
            reader, octets = ReplyReader(), unit * count
            gc.disable()  # its share grows with the replies that are kept, which no session does
            before = time.thread_time()
            reader.feed(octets)
            best = min(best, time.thread_time() - before)
            gc.enable()
        return best

    base = max(1, 100_000 // len(unit))
    assert seconds(2 * base) < 3 * seconds(base)
