"""Digits as sound are a file that browsers play, with the digits in it, and never the same twice (attack row 35)."""

import io
import wave

import pytest

from emailgency.servers.web.console import spoken_digits
from emailgency.servers.web.console.spoken_digits import RATE, spoken


def samples(octets: bytes) -> bytes:
    with wave.open(io.BytesIO(octets)) as sound:
        assert (sound.getnchannels(), sound.getsampwidth(), sound.getframerate()) == (1, 1, RATE)
        return sound.readframes(-1)


def test_every_digit_is_said_in_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spoken_digits, "_between", lambda least, most: 100 if least < 100 <= most else least)
    monkeypatch.setattr(spoken_digits, "_murmur", lambda length: bytearray([128]) * length)
    body, place = samples(spoken("0123456789")), 0
    for digit in "0123456789":
        place = body.find(spoken_digits._sample(digit), place)
        assert place >= 0, digit
        place += 1


@pytest.mark.parametrize("digits", ["123456", "000000"])
def test_attack_35_no_sound_is_like_another(digits: str) -> None:
    sounds = [samples(spoken(digits)) for _ in range(4)]
    assert len(set(sounds)) == 4
    assert len({len(sound) for sound in sounds}) > 1
    for sound in sounds:
        assert 6 * RATE < len(sound) < 30 * RATE
        assert min(sound) < 100
        assert max(sound) > 160
