"""Messages put together at random: multiparts and messages in each other, cut, empty, with lines like delimiters."""

from random import Random

_DEPTH = 4
_BOUNDARIES = ("b", "bb", "c", "=_x", "b0", "b")  # some are the beginning of others, and some come twice
_LINES = ("text\n", "\n", "--\n", "--x\n", " --b\n", "-- \n")


def message(random: Random) -> bytes:
    """One message, CRLF."""
    return ("From: x@y\nSubject: s\n" + _entity(random, 0)).encode().replace(b"\n", b"\r\n")


def _entity(random: Random, depth: int) -> str:
    fields = [
        field
        for field, share in (
            ("Content-ID: <x@y>", 0.3),
            ("Content-Transfer-Encoding: " + random.choice(["base64", "7bit", "quoted-printable"]), 0.3),
            ('Content-Disposition: attachment; filename="a b"', 0.2),
        )
        if random.random() < share
    ]
    kind = random.random() if depth < _DEPTH else 1.0
    if kind < 0.35:
        boundary = random.choice(_BOUNDARIES)
        subtype = random.choice(["mixed", "alternative", "digest"])
        fields.append(f'Content-Type: multipart/{subtype}; boundary="{boundary}"')
        body = _multipart(random, depth, boundary)
    elif kind < 0.5:
        fields.append("Content-Type: message/rfc822")
        body = f"From: a{depth}@b\nSubject: s\n" + _entity(random, depth + 1)
    else:
        # Without a Content-Type Dovecot passes over the other fields of a part: then there are none.
        if fields or random.random() < 0.7:
            fields.append(
                "Content-Type: " + random.choice(["text/plain; charset=utf-8", "text/html", "image/x; name=x"])
            )
        body = "".join(random.choices(_LINES, k=random.randint(0, 4))) + random.choice(["", "end\n"])
    random.shuffle(fields)
    return "".join(field + "\n" for field in fields) + "\n" + body


def _multipart(random: Random, depth: int, boundary: str) -> str:
    body = random.choice(["", "preamble\n"])
    for _ in range(random.randint(0, 3)):
        body += f"--{boundary}\n" + _entity(random, depth + 1) + "\n" * random.randint(1, 2)
    if random.random() < 0.8:
        body += f"--{boundary}--\n" + random.choice(["", "epilogue\n"])
    # The line end in front of an outer delimiter, which Dovecot gives to the multipart when it has just closed.
    return body + "\n"
