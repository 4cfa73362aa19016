"""Digits as sound: voices over a murmur of voices, each time of another speed and loudness and at other distances.

The samples come with the package `captcha` (8,000 a second of eight bits, 128 is silence). Mixed one by one in Python
they took 335 ms; a row of samples is a row of grey pixels to Pillow, which stretches and adds them in C: 4 ms.
"""

import io
import os
import secrets
import wave
from functools import cache
from importlib.resources import files

RATE = 8000  # samples a second
_SILENCE = 128
_HISS = bytes(_SILENCE - 2 + octet % 4 for octet in range(256))


def spoken(digits: str) -> bytes:
    """A WAV file."""
    beep, pause = _sample(""), bytes([_SILENCE]) * (RATE // 5)
    voices = [_louder(_slower(_sample(digit), _between(90, 120)), _between(80, 120)) for digit in digits]
    places, length = [], 0
    for voice in voices:
        length += _between(RATE, 3 * RATE)
        places.append(length)
        length += len(voice)
    body = _murmur(length + RATE)
    for place, voice in zip(places, voices, strict=True):
        _mix(body, place, voice)
    return _file((beep + pause) * 2 + beep + bytes(body) + _slower(beep, 140))


def _murmur(length: int) -> bytearray:
    """Hiss, and voices that say nothing: digits backwards."""
    noise = bytearray(secrets.token_bytes(length).translate(_HISS))
    place = 0
    while place < length:
        voice = _slower(_sample(secrets.choice("0123456789"))[::-1], _between(80, 160))
        _mix(noise, place, _louder(voice, _between(20, 60))[: length - place])
        place += len(voice) + _between(0, RATE // 10)
    return noise


def _mix(below: bytearray, place: int, voice: bytes) -> None:
    from PIL import Image, ImageChops

    size = (len(voice), 1)
    over = Image.frombytes("L", size, voice)
    under = Image.frombytes("L", size, bytes(below[place : place + len(voice)]))
    below[place : place + len(voice)] = ImageChops.add(over, under, 1, -_SILENCE).tobytes()


def _slower(voice: bytes, percent: int) -> bytes:
    """At `percent` of its length."""
    from PIL import Image

    length = max(1, len(voice) * percent // 100)
    row = Image.frombytes("L", (len(voice), 1), voice)
    return row.resize((length, 1), Image.Resampling.NEAREST).tobytes()


def _louder(voice: bytes, percent: int) -> bytes:
    return voice.translate(_loudness(percent))


@cache
def _loudness(percent: int) -> bytes:
    """What becomes of each sample."""
    return bytes(min(255, max(0, (octet - _SILENCE) * percent // 100 + _SILENCE)) for octet in range(256))


def _between(least: int, most: int) -> int:
    return least + secrets.randbelow(most - least + 1)


@cache
def _sample(digit: str) -> bytes:
    """Of a digit, or "" the beep around them. 3 to 7 KB each."""
    name = os.path.join(digit, "default.wav") if digit else "beep.wav"
    with files("captcha").joinpath("data", name).open("rb") as file, wave.open(file) as sound:
        return bytes(sound.readframes(-1))


def _file(body: bytes) -> bytes:
    octets = io.BytesIO()
    with wave.open(octets, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(1)
        sound.setframerate(RATE)
        sound.writeframes(body)
    return octets.getvalue()
