"""The commands about plans and operators, for the table."""

from emailgency.command.kinds import Argument, Command, Kind

PLAN_NAME = Argument("plan", "its name")
PLAN_LIMITS = (
    Argument("--mailboxes", "how many a customer may have", Kind.WHOLE),
    Argument("--mailbox-quota", "room of a mailbox, such as 5GiB"),
    Argument("--vip-mailboxes", "how many of them may be VIP", Kind.WHOLE),
    Argument("--vip-quota", "room of a VIP mailbox"),
    Argument("--message-size", "largest message; 20MiB at most"),
    Argument("--candidates", "how many unknown addresses are kept apart", Kind.WHOLE),
    Argument("--distribution-lists", "how many", Kind.WHOLE),
    Argument("--undelivered-quota", "room of the folder Undelivered"),
    Argument("--undelivered-messages", "how many messages it takes", Kind.WHOLE),
    Argument("--expiration-delay", "days that mail is kept unless a user chooses", Kind.WHOLE),
    Argument("--expiration-delay-max", "most days he may choose", Kind.WHOLE),
    Argument("--reserve", "room beyond their quotas for all mailboxes of a customer together"),
    Argument("--pending-lifetime", "days that mail waits for the customer's server", Kind.WHOLE),
    Argument("--sms", "alerts by SMS", Kind.SWITCH),
    Argument("--primary", "we may be the customer's primary MX", Kind.SWITCH),
)
OPERATOR = Argument("name", "what he logs in as: small letters, digits, dots, hyphens")

OPERATOR_COMMANDS = (
    Command("plan add", "make a plan; what is left out is as in standard", (PLAN_NAME, *PLAN_LIMITS)),
    Command("plan list", "all plans"),
    Command("plan show", "what a plan allows", (PLAN_NAME,)),
    Command(
        "plan set", "change what is given, keep the rest; at once, for all who have the plan", (PLAN_NAME, *PLAN_LIMITS)
    ),
    Command("plan remove", "forget a plan that nobody has", (PLAN_NAME,), said="there is no plan {plan} any more"),
    Command(
        "operator add",
        "somebody who runs this server by the console",
        (OPERATOR,),
        said="{name} needs a password: emailgency operator password {name}",
    ),
    Command("operator list", "all operators"),
    Command(
        "operator password",
        "set an operator's password: asked twice, or the first line of standard input",
        (OPERATOR,),
        said="{name} has a new password",
    ),
    Command(
        "operator token",
        "make a token by which a program does in the API what operators do; it is shown once",
        (
            Argument("operator", "his name"),
            Argument("name", "what it is for"),
            Argument("--days", "how long it lives (90)", Kind.WHOLE),
            Argument("--read-only", "it changes nothing", Kind.FLAG),
        ),
        said="{token}",
    ),
    Command("operator tokens", "the tokens of an operator, with their last use", (Argument("operator", "his name"),)),
    Command(
        "operator revoke",
        "revoke a token of an operator, at once",
        (Argument("operator", "his name"), Argument("id", "as operator tokens says")),
        said="token {id} ({name}) is revoked",
    ),
    Command("operator remove", "forget an operator", (OPERATOR,), said="{name} is no operator any more"),
)
