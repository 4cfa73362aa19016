"""Every command of `emailgency`, once."""

from emailgency.command.kinds import Argument, Command, Doer, Kind
from emailgency.command.login_table import LOGIN_COMMANDS
from emailgency.command.operator_table import OPERATOR_COMMANDS

ADDRESS = Argument("address", "local@domain")
CUSTOMER = Argument("customer", "any domain of the customer, or his id")
ANY_CUSTOMER = CUSTOMER._replace(optional=True)
PENDING = Argument("id", "as pending list says")
YES = Argument("--yes", "do not ask", Kind.FLAG)

CLAIMED = Argument("domain", "the domain")
OWNER = CUSTOMER._replace(help="any domain of the customer, or his id; `operator` for what the server itself writes")
ROLE = Argument("--role", "how the customer's MX points at us", choices=("backup", "primary"))
RELAY = Argument("--relay", "what becomes of mail beside our own copy", choices=("on", "hold", "none"))
PLAN = Argument("--plan", "what limits apply, as `plan list` names them")
TRANSPORT = Argument("--smtp-transport", "host[:port] of the customer's server, used instead of his MX")
ALIASES = Argument("--domain-alias", "another domain in which every address means the same", many=True)
LIFETIME = Argument("--pending-lifetime", "days that mail waits for the customer's server", Kind.WHOLE)

PROVEN = Argument("--proven", "only if the DNS has the record that `domain record` prints", Kind.FLAG)

MAILBOX_SWITCHES = (
    Argument("--administrator", "may see the Undelivered folder and manage the customer", Kind.SWITCH),
    Argument("--vip", "more space and the largest messages", Kind.SWITCH),
    Argument("--forward", "another address that gets each message too", many=True),
    Argument("--keep-copy", "keep the message here when it is forwarded", Kind.SWITCH),
)

DELAY = Argument("--expiration-delay", "days that mail is kept; 0 for what the plan says", Kind.WHOLE)

COMMANDS = (
    Command(
        "customer add",
        "take a customer in",
        (Argument("domain", "the registered domain"), PLAN, ROLE, RELAY, TRANSPORT, ALIASES, LIFETIME, PROVEN),
        said="{domain} is here; its people reach us as {alternate_domain}, which its MX may name",
    ),
    Command("customer list", "all customers"),
    Command("customer show", "one customer, with what waits for him", (CUSTOMER,)),
    Command(
        "customer set",
        "change what is given, keep the rest",
        (
            CUSTOMER,
            PLAN,
            ROLE,
            RELAY,
            TRANSPORT._replace(help="host[:port] used instead of the MX; '' for the MX again"),
            ALIASES._replace(help="the domain aliases from now on; '' for none"),
            LIFETIME._replace(help="days that mail waits for the customer's server; 0 for what the plan says"),
            Argument("--stealth", "answer 451 so that mail stays with its senders", Kind.SWITCH),
            Argument("--learn-recipients", "ask his server which addresses it has, while it is up", Kind.SWITCH),
            Argument("--sender-notices", "tell each sender once that his server is down", Kind.SWITCH),
            Argument("--smtp-denied", "stop sending for all his mailboxes", Kind.SWITCH),
            Argument("--authentication", "look at who sent his mail (SPF, DKIM, DMARC, ARC), and seal it", Kind.SWITCH),
            Argument("--banished-refused", "refuse mail for banished addresses instead of dropping it", Kind.SWITCH),
            Argument("--second-factor-required", "his administrators need one in the console", Kind.SWITCH),
            Argument("--suspended", "nobody logs in or sends, and mail stays with its senders (451)", Kind.SWITCH),
        ),
    ),
    Command(
        "customer remove",
        "forget a customer, his addresses and his mail",
        (CUSTOMER, Argument("--drop-pending", "also what waits for his server", Kind.FLAG), YES),
        ask="Remove {customer}, all its addresses and all its mail, for good?",
        said="{domain}, its addresses and its mail are gone",
    ),
    *OPERATOR_COMMANDS,
    Command(
        "mailbox add",
        "make a mailbox",
        (ADDRESS, *MAILBOX_SWITCHES),
        said="{address} is a mailbox; it needs a password: emailgency password {address}",
    ),
    Command("mailbox list", "all mailboxes of a customer", (CUSTOMER,)),
    Command("mailbox show", "one mailbox", (ADDRESS,)),
    Command(
        "mailbox set",
        "change what is given, keep the rest",
        (ADDRESS, *MAILBOX_SWITCHES, Argument("--smtp-denied", "stop sending; reading goes on", Kind.SWITCH), DELAY),
    ),
    Command(
        "mailbox remove",
        "forget a mailbox and its mail",
        (ADDRESS, YES),
        ask="Remove {address} and all its mail, for good?",
        said="{address} is gone, with {messages} messages",
    ),
    Command(
        "alias add",
        "another name of a mailbox",
        (ADDRESS, Argument("mailbox", "address of a mailbox of the same customer")),
        said="mail for {address} arrives in {mailbox} from now on",
    ),
    Command("alias list", "all aliases of a customer", (CUSTOMER,)),
    Command("alias show", "one alias", (ADDRESS,)),
    Command(
        "alias remove",
        "forget an alias",
        (ADDRESS,),
        said="{address} is no alias any more",
    ),
    Command(
        "list add",
        "an address whose mail goes to every member",
        (ADDRESS, Argument("members", "addresses of mailboxes of the same customer", many=True)),
    ),
    Command("list list", "all distribution lists of a customer", (CUSTOMER,)),
    Command("list show", "one distribution list", (ADDRESS,)),
    Command("list set", "the members from now on", (ADDRESS, Argument("members", "mailboxes", many=True))),
    Command(
        "list remove",
        "forget a distribution list",
        (ADDRESS,),
        said="{address} is no list any more",
    ),
    Command(
        "banish",
        "drop all mail for an address from now on",
        (ADDRESS,),
        said="mail for {address} is dropped from now on",
    ),
    Command("banished list", "all banished addresses of a customer", (CUSTOMER,)),
    Command(
        "banished remove",
        "make a banished address unknown again",
        (ADDRESS,),
        said="{address} is unknown again",
    ),
    Command(
        "password",
        "set a mailbox's password: asked twice, or the first line of standard input",
        (ADDRESS,),
        said="{address} has a new password",
    ),
    Command(
        "import",
        "make hundreds of addresses at once, all or none",
        (Argument("file", "FILE.csv or FILE.json, see docs/command.md", Kind.FILE),),
        said="made {mailboxes} mailboxes, {aliases} aliases, {lists} lists, {banished} banished addresses",
    ),
    *LOGIN_COMMANDS,
    Command(
        "pending list",
        "mail that waits for customers' servers",
        (
            ANY_CUSTOMER,
            Argument("--sender", "only of senders in whose address this stands; '<>' for none"),
            Argument("--recipient", "only for addresses in which this stands"),
            Argument("--text", "only with this in the header or the text; the oldest 10,000 are read"),
            Argument("--limit", "at most so many messages (100)", Kind.WHOLE),
        ),
    ),
    Command("pending show", "one waiting message and its last replies", (PENDING,)),
    Command("pending look", "header and text of a waiting message", (PENDING,)),
    Command(
        "pending hold",
        "keep a waiting message here until it is released",
        (PENDING,),
        said="{id} is held, also over a restart, until: emailgency pending release {id}",
    ),
    Command("pending release", "let a held message go", (PENDING,), said="{id} is due now"),
    Command(
        "pending retry",
        "make a waiting message due now; it goes when the guard of its server lets it",
        (PENDING,),
        said="{id} is due now; its server is {state}",
    ),
    Command(
        "pending bounce",
        "give a waiting message up: its sender is told, or a copy with the reason kept in Undelivered",
        (PENDING, YES),
        ask="Give {id} up, as if its server had refused it for good?",
        said="{id} is given up",
    ),
    Command(
        "pending drop",
        "forget what waits of a message, and tell nobody",
        (PENDING, YES),
        ask="Drop {id}, for good and without a word to its sender?",
        said="{id} is dropped",
    ),
    Command(
        "pending keep",
        "deliver a waiting message here, into a mailbox of its customer or Undelivered, and nowhere else",
        (PENDING, Argument("mailbox", "local@domain; without it Undelivered", optional=True), YES),
        ask="Keep {id} here and never give it to its server?",
        said="{id} is kept in {kept_in}",
    ),
    Command(
        "pending reroute",
        "lead a waiting message to another server than its customer's, or back",
        (PENDING, Argument("host", "host[:port]; without it the customer's own server", optional=True), YES),
        ask="Give {id} to another server?",
        said="{id} goes to {where}, as {new_id}",
    ),
    Command(
        "pending flush",
        "make all mail that waits for one customer due now",
        (CUSTOMER, YES),
        ask="Is the server of {customer} ready for all its mail at once?",
        said="{messages} messages for {customer} are due now",
    ),
    Command(
        "hold add",
        "keep mail of a customer here, what waits and what comes, until the rule is removed",
        (
            CUSTOMER,
            Argument("--sender", "only from this address or domain; * stands for anything, '<>' for no sender"),
            Argument("--recipient", "only for this address or domain"),
        ),
        said="messages held by rule {rule} now: {held}; also over a restart, until: "
        "emailgency hold remove {customer} {rule}",
    ),
    Command("hold list", "the rules by which mail of a customer is held", (CUSTOMER,)),
    Command(
        "hold remove",
        "let go what a rule held",
        (CUSTOMER, Argument("rule", "its number, as `hold list` says")),
        said="rule {rule} is gone; it held {released} messages",
    ),
    Command("recipients show", "which addresses a customer's server is known to have", (CUSTOMER,)),
    Command(
        "where",
        "where a message is, and all that happened to it; also long after it has gone",
        (
            Argument("what", "our id, <Message-ID>, an address or a part of one, or words of a subject", optional=True),
            CUSTOMER._replace(name="--customer"),
            Argument("--address", "in sender or recipients"),
            Argument("--subject", "words of the subject"),
            Argument("--since", "received not before: 2026-11-22, or 2026-11-22T14:30"),
            Argument("--until", "received before"),
            Argument("--limit", "at most so many messages (20), the newest", Kind.WHOLE),
            Argument("--pdf", "write it as PDF into this new file", Kind.FILE),
        ),
    ),
    Command("server list", "customers' servers and how they do"),
    Command(
        "server show",
        "one customer's servers, their incidents and history, and what becomes of his mail",
        (CUSTOMER,),
    ),
    Command(
        "server accept",
        "say that whoever answers now is a customer's server, by whatever name and certificate",
        (CUSTOMER, YES),
        ask="Is the machine that answers now the server of {customer}?",
        said="mail for {customer} goes to whoever answers there",
    ),
    Command(
        "verify",
        "check spool, mailboxes and Redis of a stopped server, changing nothing",
        doer=Doer.HERE,
        said="nothing is wrong: {messages} messages in {mailboxes} mailboxes, spool, change journal and Redis",
    ),
    Command(
        "reconstruct",
        "rebuild a mailbox's indexes from its files",
        (ADDRESS._replace(help="local@domain of a mailbox"),),
        said="{address} is reconstructed: {messages} messages in {folders} folders",
    ),
    Command(
        "backup",
        "copy the data folder, also while the server runs",
        (Argument("folder", "a new or empty folder", Kind.FOLDER),),
        doer=Doer.HERE,
        said="{folder} holds {files} files, {octets} octets; the server's settings file is not in it",
    ),
    Command(
        "restore",
        "make a data folder from a backup, for a server that is stopped",
        (Argument("folder", "what backup made", Kind.FOLDER),),
        doer=Doer.HERE,
        said="{files} files restored; start the server with: twistd -n emailgency",
    ),
    Command(
        "wipe-mailbox",
        "destroy all mail of a mailbox, and keep the mailbox",
        (ADDRESS, YES),
        ask="Destroy all mail of {address}, for good?",
        said="{messages} messages of {address} are destroyed",
    ),
    Command("dkim add", "make a key that a customer's mail is signed with; its record goes into the DNS", (OWNER,)),
    Command("dkim show", "the keys of a customer, and whether the DNS has their records", (OWNER,)),
    Command(
        "dkim remove",
        "sign with a key no more",
        (OWNER, Argument("selector", "the key, as `dkim show` names it")),
        said="{selector} signs nothing any more; its record may go a week from now",
    ),
    Command("domain list", "the names of a customer", (CUSTOMER,)),
    Command(
        "domain record",
        "what to publish to prove that a domain is a customer's, or a new one's, and whether it is there",
        (CLAIMED, ANY_CUSTOMER),
    ),
    Command("domain claim", "make a domain an alias of a customer's, if the DNS proves it", (CLAIMED, CUSTOMER)),
    Command("domain grant", "make a domain an alias of a customer's, on your word", (CLAIMED, CUSTOMER)),
    Command("domain remove", "a domain alias no more", (CLAIMED, CUSTOMER)),
    Command("dns check", "ask the DNS about a customer's domains now, and say what to type", (CUSTOMER,)),
    Command(
        "dns show",
        "what the DNS said of a customer's domains, and since when; of all: what is not in order",
        (ANY_CUSTOMER,),
    ),
    Command(
        "demo-server up",
        "of the demo only: bring the simulated customer's server back",
        said="{server} answers again: watch the terminal of the demo",
    ),
    Command(
        "demo-server down",
        "of the demo only: take the simulated customer's server away",
        said="{server} refuses connections again",
    ),
    Command(
        "completion",
        "print a completion script for a shell",
        (Argument("shell", "the shell", choices=("bash", "zsh", "fish")),),
        doer=Doer.HERE,
    ),
)

GROUPS = {
    "customer": "organisations whose mail we keep",
    "plan": "what customers may have",
    "operator": "who runs this server by the console",
    "mailbox": "addresses that people read",
    "alias": "other names of mailboxes",
    "list": "distribution lists",
    "banished": "addresses whose mail is dropped",
    "token": "what lets programs use the API",
    "app-password": "what lets mail programs in beside a password",
    "second-factor": "what the console asks for beside a password",
    "pending": "mail that waits for customers' servers",
    "hold": "rules by which mail is kept here",
    "recipients": "addresses learned from customers' servers",
    "server": "customers' servers, as far as we see",
    "domain": "whose domains are, and how that is proven",
    "dns": "what the DNS says of customers' domains",
    "dkim": "keys that mail is signed with",
    "demo-server": "the simulated customer's server of `twistd -n emailgency demo`",
}

EVERYWHERE = (
    Argument("--json", "print one JSON value instead of words", Kind.FLAG),
    Argument("--data", "the data folder of the server", Kind.FOLDER),
    Argument("--settings", "the settings file of the server, which names its data folder", Kind.FILE),
)
