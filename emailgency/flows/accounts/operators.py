"""Who runs the server by the console (product row F7): accounts that belong to no customer."""

import re
import secrets

import msgspec

from emailgency.flows.accounts.holders import operator_called
from emailgency.flows.accounts.passwords import Passwords
from emailgency.model.directory import Operator
from emailgency.model.errors import Invalid
from emailgency.store.directory.changes import Author, edit
from emailgency.store.directory.directory import Directory

_NAME = re.compile(r"[a-z][a-z0-9._-]{0,31}")
_MOST = 100


class Operators:
    """All methods raise Invalid (in words for who asked) and Temporary; what they return is on stable storage."""

    def __init__(self, directory: Directory, passwords: Passwords) -> None:
        self._directory = directory
        self._passwords = passwords

    async def add(self, author: Author, name: str) -> Operator:
        """Without a password; nobody logs in until he has one."""
        if not _NAME.fullmatch(name):
            raise Invalid("an operator's name is a small letter and up to 31 small letters, digits, dots and hyphens")
        async with self._directory.deciding:
            known = await self._directory.operators()
            if any(operator.id == name for operator in known):
                raise Invalid("there is an operator %(name)s already", name=name)
            if len(known) >= _MOST:
                raise Invalid("there are at most %(count)s operators", count=_MOST)
            # One of the same name that comes later must find no session of this one valid
            operator = Operator(id=name, generation=secrets.randbits(40))
            await self._directory.change(author, f"operator {name} added", [edit("operator", name, None, operator)])
        return operator

    async def set_password(self, author: Author, name: str, password: str) -> Operator:
        """All his sessions end."""
        encoded = await self._passwords.hashed(password)
        async with self._directory.deciding:
            before = await operator_called(self._directory, name)
            after = msgspec.structs.replace(before, password=encoded, generation=before.generation + 1)
            what = f"password of operator {name} set"
            await self._directory.change(author, what, [edit("operator", name, before, after)])
        return after

    async def remove(self, author: Author, name: str) -> Operator:
        """All his sessions end."""
        async with self._directory.deciding:
            operator = await operator_called(self._directory, name)
            await self._directory.change(author, f"operator {name} removed", [edit("operator", name, operator, None)])
        return operator
