"""The families of failure that travel as exceptions. A refusal is no exception: see `verdict`."""


class Temporary(Exception):
    """We are in trouble (disk, Redis, storer, resolver): answer 4xx or NO [UNAVAILABLE], lose nothing.

    Any exception nobody foresaw counts as this one.
    """


class Invalid(ValueError):
    """A value somebody gave us breaks a rule; the text says which, in words for that person."""
