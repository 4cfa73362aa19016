"""Words for people, as data: a text in English with places for values, which a page says in the reader's language."""

from collections.abc import Callable, Mapping
from typing import Union

from msgspec import Struct

Value = Union[str, int, "Words"]


class Words(Struct, frozen=True):
    """`text` is a key of the catalogues in web/locale, "We are not among the MX records of %(domain)s."

    Without values it stands as it is; one with them writes %% for %. A value may be words itself.
    """

    text: str
    values: Mapping[str, Value] = {}

    def __str__(self) -> str:
        return self.said(str)

    def said(self, translate: Callable[[str], str]) -> str:
        """`translate` gives a key in a language."""
        text = translate(self.text)
        if not self.values:
            return text
        values = self.values.items()
        return text % {key: value.said(translate) if isinstance(value, Words) else value for key, value in values}
