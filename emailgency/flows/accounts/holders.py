"""Who logs in: a mailbox, or an operator, who has none."""

from typing import TypeVar, cast

from emailgency.flows.addresses.deciding import entry_edits
from emailgency.model.directory import Mailbox, Operator
from emailgency.model.errors import Invalid
from emailgency.store.directory.changes import Author, Edit, edit
from emailgency.store.directory.directory import Directory

Holder = Mailbox | Operator
H = TypeVar("H", bound=Holder)


def account(holder: Holder) -> str:
    """Under which failures, codes and sealed secrets are kept: never the same for two."""
    return f"operator {holder.id}" if isinstance(holder, Operator) else holder.id


def called(holder: Holder) -> str:
    """For people."""
    return f"operator {holder.id}" if isinstance(holder, Operator) else str(holder.address)


async def find(directory: Directory, id: str, *, operator: bool) -> Holder | None:
    """The operator of that name, or the mailbox of that id."""
    if operator:
        return await directory.operator(id)
    return await directory.mailbox(id)


async def operator_called(directory: Directory, name: str) -> Operator:
    """Raises Invalid."""
    operator = await directory.operator(name)
    if operator is None:
        raise Invalid("there is no operator %(name)s", name=name)
    return operator


async def as_of_now(directory: Directory, holder: H) -> H:
    """Invalid: he has gone, or has another password or other rights since he was looked up."""
    found = await find(directory, holder.id, operator=isinstance(holder, Operator))
    if found is None or found.generation != holder.generation:
        raise Invalid("%(address)s was changed by somebody else meanwhile", address=called(holder))
    return cast(H, found)


async def replace(directory: Directory, author: Author, what: str, before: Holder, after: Holder) -> None:
    """One change in the journal."""
    if isinstance(after, Operator):
        assert isinstance(before, Operator)
        edits: list[Edit] = [edit("operator", after.id, before, after)]
        await directory.change(author, what, edits)
    else:
        assert isinstance(before, Mailbox)
        await directory.change(author, what, entry_edits(before, after), after.customer)
