"""The families of failure that travel as exceptions. A refusal is no exception: see `verdict`."""

from emailgency.model.words import Words


class Temporary(Exception):
    """We are in trouble (disk, Redis, storer, resolver): answer 4xx or NO [UNAVAILABLE], lose nothing.

    Any exception nobody foresaw counts as this one.
    """


class Invalid(ValueError):
    """A value somebody gave us breaks a rule; the text says which, in words for that person.

    What people in the browser may read is a key of the catalogues, with its values beside it (`model.words`).
    """

    def __init__(self, text: str | Words, /, **values: object) -> None:
        shown = {name: value if isinstance(value, Words | int) else str(value) for name, value in values.items()}
        self.words = text if isinstance(text, Words) else Words(text, shown)
        super().__init__(str(self.words))


class Busy(Invalid):
    """So many do the same just now that this one has to come again in a moment; nothing was done."""
