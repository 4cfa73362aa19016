"""What the command line sends is what the server's commands take, name by name."""

from typing import Any, cast

import msgspec

from emailgency.command.kinds import Command, Doer, Kind
from emailgency.command.table import COMMANDS
from emailgency.servers.control.address_commands import AddressCommands
from emailgency.servers.control.command import Commands
from emailgency.servers.control.customer_commands import CustomerCommands
from emailgency.servers.control.dkim_commands import DkimCommands
from emailgency.servers.control.dns_commands import DnsCommands
from emailgency.servers.control.domain_commands import DomainCommands
from emailgency.servers.control.hold_commands import HoldCommands
from emailgency.servers.control.login_commands import LoginCommands
from emailgency.servers.control.mailbox_commands import MailboxCommands
from emailgency.servers.control.pending_commands import PendingCommands
from emailgency.servers.control.plan_commands import PlanCommands
from emailgency.servers.control.recipient_commands import RecipientCommands
from emailgency.servers.control.server_commands import ServerCommands
from emailgency.servers.control.token_commands import TokenCommands
from emailgency.servers.control.upkeep_commands import UpkeepCommands
from emailgency.servers.control.where_commands import WhereCommands

NOTHING = cast(Any, None)
SERVER: Commands = (
    CustomerCommands(NOTHING, NOTHING, NOTHING, NOTHING, NOTHING, NOTHING, NOTHING).table()
    | MailboxCommands(NOTHING, NOTHING, NOTHING, NOTHING, NOTHING).table()
    | AddressCommands(NOTHING, NOTHING, NOTHING).table()
    | DkimCommands(NOTHING, NOTHING, NOTHING).table()
    | DomainCommands(NOTHING, NOTHING).table()
    | DnsCommands(NOTHING, NOTHING, NOTHING).table()
    | PendingCommands(NOTHING, NOTHING, NOTHING, NOTHING, NOTHING, NOTHING).table()
    | HoldCommands(NOTHING, NOTHING, NOTHING).table()
    | PlanCommands(NOTHING, NOTHING, NOTHING).table()
    | RecipientCommands(NOTHING, NOTHING).table()
    | ServerCommands(NOTHING, NOTHING, NOTHING, NOTHING).table()
    | LoginCommands(NOTHING, NOTHING, NOTHING).table()
    | TokenCommands(NOTHING, NOTHING).table()
    | UpkeepCommands(NOTHING, NOTHING, NOTHING, NOTHING).table()
    | WhereCommands(NOTHING, NOTHING, NOTHING).table()
)
CLIENT = {one.words: one for one in COMMANDS if one.doer is Doer.SERVER and not one.words.startswith("demo-server")}
READ_HERE = {
    "password": {"password"},
    "operator password": {"password"},
    "import": {"form", "text"},
}  # asked for, or read from a file, on this side


def sent(command: Command) -> dict[str, Any]:
    """An example of each argument."""
    example = {Kind.WHOLE: 1, Kind.SWITCH: True, Kind.FLAG: True}
    arguments: dict[str, Any] = {}
    for argument in command.arguments:
        value = argument.choices[0] if argument.choices else example.get(argument.kind, "text")
        arguments[argument.key] = [value] if argument.many else value
    arguments.pop("yes", None)
    if command.words == "import":
        arguments = {"form": "csv", "text": "address\n"}
    if command.words == "where" and arguments.pop("pdf", None):
        arguments["whole"] = True
    if command.words in ("password", "operator password"):
        arguments["password"] = "text"
    return arguments


def test_each_end_knows_the_commands_of_the_other() -> None:
    assert CLIENT.keys() == SERVER.keys()


def test_every_argument_is_taken_and_none_is_missing() -> None:
    for words, command in CLIENT.items():
        kind = SERVER[words].arguments
        assert {field.name for field in msgspec.structs.fields(kind)} == sent(command).keys(), words
        assert isinstance(msgspec.convert(sent(command), kind), kind)


def test_what_may_be_left_out_there_may_be_left_out_here() -> None:
    for words, command in CLIENT.items():
        needed = {field.name for field in msgspec.structs.fields(SERVER[words].arguments) if field.required}
        places = {one.key for one in command.arguments if not one.name.startswith("-") and not one.optional}
        assert needed == (places - {"file"}) | READ_HERE.get(words, set()), words
