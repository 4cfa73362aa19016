"""A thread of messages: an answer below what it answers."""

from msgspec import Struct


class Thread(Struct):
    """`message` is its place in what was threaded, or None for one that is not there and only holds its answers."""

    message: int | None
    children: "list[Thread]"
