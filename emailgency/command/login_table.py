"""The commands about how people and their programs log in, for the table."""

from emailgency.command.kinds import Argument, Command, Kind

MAILBOX = Argument("address", "local@domain")
WHO = Argument("who", "address of a mailbox, or name of an operator")

LOGIN_COMMANDS = (
    Command(
        "token add",
        "make a token by which a program uses the API in the name of a mailbox; it is shown once",
        (
            MAILBOX,
            Argument("name", "what it is for"),
            Argument("--days", "how long it lives (90)", Kind.WHOLE),
            Argument("--read-only", "it changes nothing", Kind.FLAG),
        ),
        said="{token}",
    ),
    Command("token list", "the tokens of a mailbox, with their last use", (MAILBOX,)),
    Command(
        "token remove",
        "revoke a token, at once",
        (MAILBOX, Argument("id", "as token list says")),
        said="{name} opens nothing any more",
    ),
    Command(
        "app-password add",
        "make a password for one mail program of a mailbox; it is shown once",
        (MAILBOX, Argument("name", "which program, on which device")),
        said="{password}",
    ),
    Command("app-password list", "the app passwords of a mailbox, with their last use", (MAILBOX,)),
    Command(
        "app-password remove",
        "let an app password open nothing any more, and cut what it has opened",
        (MAILBOX, Argument("id", "as app-password list says")),
        said="{name} opens nothing any more",
    ),
    Command("second-factor show", "whether somebody has a second factor in the console, and since when", (WHO,)),
    Command(
        "second-factor remove",
        "let a password alone open the console again, for who has lost his phone; his passkeys go, too",
        (WHO,),
        said="the password alone lets {who} in from now on",
    ),
)
