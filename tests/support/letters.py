"""Messages known by a label: from the label alone anyone can tell every octet of them."""

import hashlib
import re
from functools import lru_cache

_LABEL = re.compile(rb"^X-Label: (\S+)\r$", re.MULTILINE)
_HEADER = 4096  # octets in which the label of a stored message is found, behind trace fields
_LARGE = 150_000  # hexadecimal digits twice: more than the server holds back, so such a message travels in pieces


@lru_cache(4096)
def letter(label: str) -> bytes:
    """The message. Some lines begin with a dot; one in forty is of 300 KB, the others of 1 to 3 KB."""
    digest = hashlib.shake_128(label.encode())
    first, second = digest.digest(2)
    text = digest.hexdigest(_LARGE if first < 6 else 200 + 4 * second)
    lines = (("." if at % 7 == 3 else "") + text[76 * at : 76 * at + 76] for at in range(len(text) // 76))
    head = f"From: anna@example.org\r\nSubject: {label}\r\nX-Label: {label}\r\n\r\n"
    return (head + "\r\n".join(lines) + "\r\n").encode()


def on_the_wire(octets: bytes) -> bytes:
    """With dots stuffed and the final dot (RFC 5321 section 4.5.2)."""
    return re.sub(rb"(?m)^\.", b"..", octets) + b".\r\n"


def label_of(octets: bytes) -> str | None:
    """The label, when all octets are as they should be; fields may stand in front of them."""
    found = _LABEL.search(octets[:_HEADER])
    if found is None:
        return None
    label = found[1].decode("ascii", "replace")
    whole = letter(label)
    before = octets[: len(octets) - len(whole)]
    return label if octets.endswith(whole) and (not before or before.endswith(b"\r\n")) else None
