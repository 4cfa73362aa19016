"""What a route is: a path, a method, who may come by it, and what is done. The customer matrix is made from these."""

from collections.abc import Awaitable, Callable
from enum import Enum

from msgspec import Struct

from emailgency.model.address import Address
from emailgency.model.words import Words
from emailgency.store.directory.changes import Author
from emailgency.store.logins.web_sessions import WebSession


class Who(Enum):
    """Whom a route lets in; the customer is always the visitor's own, whatever host he named."""

    ANYBODY = "anybody"
    USER = "user"  # of a mailbox, who has logged in
    ADMINISTRATOR = "administrator"  # of the customer, or an operator who looks after him
    OPERATOR = "operator"  # who runs the server


class Visitor(Struct, kw_only=True):
    """Who asks. `session` None: nobody we know."""

    ip: str
    host: str  # canonical name he asked for: says what the login page looks like, and nothing else
    language: str
    token: str = ""
    session: WebSession | None = None
    challenge: str = ""  # the token of the CAPTCHA that this browser was shown last
    half: str = ""  # the token of a login whose second factor is still to come
    unfinished: bool = False  # he needs a second factor before he gets any further
    passkey: str = ""  # the token of what its passkey is to sign for a login

    @property
    def known(self) -> WebSession:
        """The session; routes for users and administrators have one."""
        assert self.session is not None
        return self.session

    @property
    def address(self) -> Address:
        return self.known.address

    @property
    def author(self) -> Author:
        """How the change journal names him."""
        operator = self.known.operator
        return Author(f"operator {operator}" if operator else str(self.address), f"console {self.ip}")

    def tell(self, kind: str, words: str | Words) -> None:
        """Shown on the next page; `kind` is "success", "warning" or "danger"."""
        self.known.told.append((kind, words))


class Asked(Struct, frozen=True):
    """What came with a request: fields of the address line and of the form, in their order."""

    query: dict[str, list[str]]
    form: dict[str, list[str]]
    path: dict[str, str]

    def one(self, name: str) -> str:
        """A field of the form, "" when it is missing."""
        return self.form.get(name, [""])[0]

    def many(self, name: str) -> list[str]:
        return self.form.get(name, [])

    def given(self, name: str) -> str:
        """A field of the address line."""
        return self.query.get(name, [""])[0]


class Page(Struct, frozen=True):
    """A template with what it shows. `secret`: its address is nobody else's to know. `challenge`: the token of a
    CAPTCHA that the browser is to keep; `token`: that of the session that began with this.
    """

    template: str
    facts: dict[str, object] = {}
    status: int = 200
    secret: bool = False
    challenge: str = ""
    token: str = ""


class Octets(Struct, frozen=True):
    """Something that is no page: a picture, say. With `file_name` the browser keeps it as a file. `passkey`: the token
    of what a passkey is to sign, which the browser is to keep.
    """

    content_type: str
    octets: bytes
    file_name: str = ""
    passkey: str = ""


class Away(Struct, frozen=True):
    """Go on at another page (303), a path of ours. `token`: a session that begins, "" one that ends; `half`: as well,
    of a login whose second factor is still to come.
    """

    path: str
    token: str | None = None
    half: str | None = None


Answer = Page | Octets | Away
Deed = Callable[[Visitor, Asked], Awaitable[Answer]]


class Route(Struct, frozen=True):
    """`method` is GET (changes nothing) or POST. `path` as Klein writes it, below /eg.

    `proof`: what is posted holds a secret from a mail, without which it does nothing. It needs no other token, and
    comes from a page that browsers do not name. `unfinished`: it is there for who needs a second factor before he gets
    any further.
    """

    method: str
    path: str
    who: Who
    deed: Deed
    proof: bool = False
    unfinished: bool = False
