"""What the directory knows: plans, customers, domains and the meaning of addresses (product rows A1-A9, B11).

Every record is immutable; a change is a new record, written by `store.directory` through the change journal.
Ids are opaque: random lower-case base32, never derived from a name, and the only thing used in paths.
"""

from enum import Enum

from msgspec import Struct

from emailgency.model.address import Address

OPERATOR = "operator"  # where the id of a customer stands (26 letters and digits): whoever runs the server
LANGUAGES = ("en", "fr")  # of pages, and of mail that we write to people
HARD_MESSAGE_LIMIT = 20_971_520  # octets as SIZE counts, product row B7


class Role(Enum):
    """How the customer's MX points at us (row D4)."""

    BACKUP = "backup"
    PRIMARY = "primary"


class RelayMode(Enum):
    """What becomes of accepted mail beside our own copy (row D1)."""

    ON = "on"
    HOLD = "hold"
    NONE = "none"  # the customer has no server of his own


class Plan(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Limits a customer buys (row B11). Sizes in octets, times in days."""

    name: str
    mailboxes: int = 1000
    mailbox_quota: int = 1 << 30
    vip_mailboxes: int = 10
    vip_quota: int = 10 << 30
    message_size: int = 10 << 20
    candidates: int = 1000
    distribution_lists: int = 100
    undelivered_quota: int = 1 << 30
    undelivered_messages: int = 10_000
    expiration_delay: int = 30
    expiration_delay_max: int = 90
    reserve: int = 10 << 30  # by which all mailboxes of the customer together may pass their quotas (row B12)
    pending_lifetime: int = 30
    sms: bool = False
    primary: bool = False


STANDARD = Plan(name="standard")
PREMIUM = Plan(
    name="premium",
    mailbox_quota=5 << 30,
    vip_mailboxes=100,
    message_size=HARD_MESSAGE_LIMIT,
    candidates=10_000,
    expiration_delay=60,
    expiration_delay_max=365,
    sms=True,
    primary=True,
)


class Notice(Enum):
    """What a customer's contacts are told (row E4)."""

    REPORT = "report"  # once a month: what his domain had to do
    QUOTA = "quota"  # a mailbox is full
    SHORTENED = "shortened"  # the expiration delay of a mailbox was shortened
    SERVER = "server"  # his server does not answer, and is back
    DNS = "dns"  # what the DNS says of his domains has changed for the worse


class Contact(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody who is told, at an address of his choice. `verified_at`: when he said that it is his; None: not yet,
    and then he is told nothing. Seconds since the epoch.
    """

    address: str  # in wire form
    verified_at: float | None = None
    wants: tuple[Notice, ...] = tuple(Notice)


class HoldRule(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What it fits stays here until the rule goes (rules.holds); two empty patterns fit everything."""

    id: str
    sender: str = ""
    recipient: str = ""
    by: str = ""  # who made it
    at: float = 0.0  # and when, seconds since the epoch


class Customer(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One organisation. `alternate_domain` is stored once at creation and never recomputed (row A9)."""

    id: str
    domain: str
    alternate_domain: str
    domain_aliases: tuple[str, ...] = ()
    plan: str = "standard"
    role: Role = Role.BACKUP
    relay: RelayMode = RelayMode.ON
    smtp_transport: str | None = None  # "host[:port]", row D3
    stealth: bool = False  # row C7
    smtp_denied: bool = False  # row B8, for all mailboxes at once
    banished_refused: bool = False  # row A5: 550 instead of 250-and-gone
    pending_lifetime: int | None = None  # days; None: the plan's
    authentication: bool = False  # row C8: SPF, DKIM, DMARC and ARC of his mail are looked at, noted and sealed
    language: str = "en"  # one of LANGUAGES: of the mail we write to his people
    learn_recipients: bool = False  # row G5: his server is asked which addresses it has
    holds: tuple[HoldRule, ...] = ()  # row D1
    sender_notices: bool = False  # one word to each sender and incident; else none while mail can be read here
    suspended: bool = False  # by the operator: nobody logs in or sends, mail stays with its senders, nothing is lost
    contacts: tuple[Contact, ...] = ()  # who is told what happens here (row E4)
    second_factor_required: bool = False  # of his administrators, in the console


class SecondFactor(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is asked beside the password in the browser: codes of a phone (RFC 6238), or one for who has lost it."""

    secret: str  # of the phone's codes, sealed (store.keys.sealing): as worthy of care as a password
    since: float  # seconds since the epoch
    recovery: tuple[str, ...] = ()  # hashes of the codes that are left (rules.spoken_secrets)


class Passkey(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Logs its mailbox or operator in to the console, in place of password and second factor (WebAuthn level 2)."""

    id: str
    name: str  # what its maker calls it
    credential: str  # its id to authenticators, in base64url
    key: str  # the public key in COSE form, in base64url
    host: str  # the name of ours that it was made at and is good for
    made_at: float  # seconds since the epoch
    counter: int = 0  # signatures it has told of; 0: it does not count them


class Operator(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody who runs the server by the console (row F7). Fields as of `Mailbox`; the name is its id."""

    id: str
    password: str | None = None
    generation: int = 0
    second_factor: SecondFactor | None = None
    passkeys: tuple[Passkey, ...] = ()
    tokens: "tuple[ApiToken, ...]" = ()  # by which programs use the API in his name


class DomainKind(Enum):
    """Why a domain is ours."""

    MAIN = "main"
    ALIAS = "alias"  # row A8
    ALTERNATE = "alternate"  # row A9


class Domain(Struct, frozen=True):
    """One domain of ours and whose it is; domains are unique over all customers."""

    name: str
    customer: str
    kind: DomainKind


class ApiToken(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Lets a program do what its mailbox may. Of the secret only the hash is kept."""

    id: str
    name: str  # what its maker calls it
    hash: str  # sha256 of the secret, in hex
    made_at: float  # seconds since the epoch
    made_by: str
    expires_at: float
    read_only: bool = False


class AppPassword(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Opens the mailbox to one mail program, and nothing in the browser. Of the secret only the hash is kept."""

    id: str
    name: str  # what its maker calls it
    hash: str  # rules.spoken_secrets
    made_at: float  # seconds since the epoch


class Mailbox(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="mailbox"):
    """Row A1. `generation` grows with every change of password, second factor or rights, so that open sessions can
    notice. With a second factor its mail programs need app passwords.
    """

    id: str
    customer: str
    address: Address
    password: str | None = None  # argon2 encoded hash; None: no password yet, nobody logs in
    generation: int = 0
    administrator: bool = False  # row B13
    vip: bool = False  # row B6
    smtp_denied: bool = False  # row B8
    forwards: tuple[str, ...] = ()
    keep_copy: bool = True
    expiration_delay: int | None = None  # days that mail is kept (row B5); None: the plan's
    shortened_to: int | None = None  # days to which we have shortened it for want of room; None: we have not
    tokens: tuple[ApiToken, ...] = ()
    second_factor: SecondFactor | None = None
    app_passwords: tuple[AppPassword, ...] = ()
    passkeys: tuple[Passkey, ...] = ()


class Alias(Struct, frozen=True, kw_only=True, tag="alias"):
    """Row A2: another name of one mailbox of the same customer."""

    customer: str
    address: Address
    mailbox: str


class DistributionList(Struct, frozen=True, kw_only=True, tag="distribution_list"):
    """Row A3: members are ids of mailboxes of the same customer, never lists."""

    customer: str
    address: Address
    members: tuple[str, ...]


class Banished(Struct, frozen=True, kw_only=True, tag="banished"):
    """Row A5."""

    customer: str
    address: Address


Entry = Mailbox | Alias | DistributionList | Banished
