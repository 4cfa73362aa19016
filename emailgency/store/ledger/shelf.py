"""The ledgers of all customers: the files used last are open, the bounds are kept."""

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from typing import TypeVar

from emailgency.store import layout
from emailgency.store.ledger.file import LedgerFile
from emailgency.store.ledger.messages import Bounds

_OPEN = 32  # files
_DAY = 86_400
_SLICES = 20  # forgotten in one go, about a second; the rest waits for the next time

T = TypeVar("T")


class Shelf:
    """For one process. `complaints` are sentences for the log."""

    def __init__(self, data: str, bounds: Bounds) -> None:
        self.complaints: list[str] = []
        self.bounds = bounds
        self._data = data
        self._files: dict[str, LedgerFile] = {}  # the one used last is the last
        self._dirty: set[str] = set()
        os.makedirs(os.path.join(data, layout.LEDGER), mode=0o700, exist_ok=True)

    def write(self, customer: str, deed: Callable[[LedgerFile], T]) -> T:
        """Raises sqlite3.OperationalError (full, busy), OSError. A damaged file is put aside and begun anew."""
        try:
            return self._write(customer, deed)
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as error:
            self._put_aside(customer, error)
            return self._write(customer, deed)

    def remove(self, customer: str) -> None:
        """With all that is in it."""
        self._close(customer)
        self._dirty.discard(customer)
        for path in self._paths(customer):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)

    def settle(self) -> None:
        """What was written is on stable storage when this returns. Raises as `write` does."""
        for customer in list(self._dirty):
            self.write(customer, LedgerFile.settle)
            self._dirty.discard(customer)

    def close(self) -> None:
        for customer in list(self._files):
            self._close(customer)

    def keep_bounds(self, now: float) -> bool:
        """Forget the oldest, beyond what is to be kept. True: some must still go."""
        before = f"{max(0, int(now) - self.bounds.days * _DAY):08x}"
        left = _SLICES
        sizes: dict[str, int] = {}
        for customer in self._customers():
            while left and self._too_much(customer, before, sizes):
                left -= 1
        while left and sum(sizes.values()) > self.bounds.octets:
            oldest = {one: self.write(one, lambda file: file.oldest) for one in sizes}
            have = {one: id for one, id in oldest.items() if id}
            if not have:
                break
            customer = min(have, key=lambda one: have[one])
            self.write(customer, LedgerFile.forget_oldest)
            sizes[customer] = self.write(customer, lambda file: file.octets)
            left -= 1
        return not left

    def _too_much(self, customer: str, before: str, sizes: dict[str, int]) -> bool:
        """Whether something of it had to go, and went."""
        gone = self.write(customer, lambda file: file.forget_oldest(before))
        sizes[customer] = self.write(customer, lambda file: file.octets)
        if not gone and sizes[customer] > self.bounds.customer_octets:
            gone = self.write(customer, LedgerFile.forget_oldest)
        return bool(gone)

    def _write(self, customer: str, deed: Callable[[LedgerFile], T]) -> T:
        file = self._files.pop(customer, None)
        if file is None:
            file = LedgerFile(os.path.join(self._data, layout.ledger(customer)))
            if len(self._files) >= _OPEN:
                self._close(next(iter(self._files)))
        self._files[customer] = file
        self._dirty.add(customer)
        return deed(file)

    def _close(self, customer: str) -> None:
        file = self._files.pop(customer, None)
        if file is not None:
            file.close()

    def _put_aside(self, customer: str, error: Exception) -> None:
        self._close(customer)
        self.complaints.append(f"the ledger of {customer} was damaged and is begun anew: {error}")
        for path in self._paths(customer):
            with contextlib.suppress(FileNotFoundError):
                os.replace(path, f"{path}.damaged")

    def _paths(self, customer: str) -> Iterator[str]:
        for suffix in ("", "-wal", "-shm"):
            yield os.path.join(self._data, layout.ledger(customer)) + suffix

    def _customers(self) -> list[str]:
        names = os.listdir(os.path.join(self._data, layout.LEDGER))
        return sorted(name.removesuffix(".sqlite") for name in names if name.endswith(".sqlite"))
