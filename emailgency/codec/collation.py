"""i;unicode-casemap (RFC 5051): strings as SORT and THREAD compare them, as RFC 5255 and RFC 5256 section 2 ask.

Each character to title case by its simple mapping, then decomposed for compatibility; such strings compare like their
UTF-8 octets, which is the order of code points, which is Python's.
"""

import unicodedata


class _Titlecase(dict[int, int]):
    """Code point -> its simple title case, for `str.translate`; learned as they come, at most as many as there are."""

    def __missing__(self, point: int) -> int:
        title = chr(point).title()
        # str.title() maps fully (ß -> Ss); UnicodeData.txt has no simple mapping for those.
        mapped = self[point] = ord(title) if len(title) == 1 else point
        return mapped


_TITLECASE = _Titlecase()


def casemap(text: str) -> str:
    """What to compare instead of `text`, for order and for equality."""
    if text.isascii():
        return text.upper()
    return unicodedata.normalize("NFKD", text.translate(_TITLECASE))
