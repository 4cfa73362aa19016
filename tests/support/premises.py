"""A server with something on every page of its console, much of it written by somebody who means harm.

What a stranger can fill in holds `attack-<field>`, so that tests can tell where it is shown, in markup that would run
or at least leave an element with the attribute `data-attacked`. No word of it is English beyond that: whatever a page
says in English when it is asked in French, it says by itself.
"""

import base64
import imaplib
import re
import smtplib
import ssl
from contextlib import ExitStack, suppress
from urllib.parse import quote, quote_plus

from tests.support.browser import Browser
from tests.support.dns_thread import DnsThread
from tests.support.foul_server import FoulServer
from tests.support.phone import Phone
from tests.support.server import Server
from tests.support.sink import Sink

PASSWORD = "Correct-horse1"
DOMAIN = "mydomain.zz"
PEOPLE = {"user": f"paul@{DOMAIN}", "administrator": f"postmaster@{DOMAIN}", "operator": "alice"}
PEOPLE |= {"guest": PEOPLE["operator"]}  # an operator who looks after the customer
FIELDS = (
    "subject",
    "name",
    "addressee",
    "text",
    "head",
    "date",
    "sender",
    "recipient",
    "banished",
    "token",
    "answer",
    "banner",
    "dns",
    "login",
)


def attack(field: str) -> str:
    """Ends an attribute in either quotes first."""
    image, script = (
        f"<img src=/eg/attack-{field} onerror=alert(1) data-attacked>",
        "<script data-attacked>alert(1)</script>",
    )
    return f"\"'>{image}{script} attack-{field}"


def encoded(words: str) -> str:
    return f"=?utf-8?b?{base64.b64encode(words.encode()).decode()}?="


class Premises:
    """`server`, and `names`: what stands for what in the paths of pages. As a context everything ends with it."""

    def __init__(self, folder: object) -> None:
        self._folder = str(folder)
        self._ends = ExitStack()
        self.names: dict[str, str] = {}

    def __enter__(self) -> "Premises":
        with self._ends:
            enter = self._ends.enter_context
            self._dns = enter(DnsThread())
            self._foul = enter(FoulServer("220 foul ESMTP", f"451 4.7.1 {attack('answer')}"))
            self._home = enter(Sink())
            self._home.up()
            self.server = enter(Server(self._folder, self._settings()).start())
            self.root = f"https://127.0.0.1:{self.server.ports['https']}/eg"
            self._fill()
            self._ends = self._ends.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.close()

    def browser(self, who: str) -> Browser:
        """Of one of PEOPLE, who has logged in."""
        browser = Browser(self.server.ports["https"]).log_in(PEOPLE[who], PASSWORD)
        if who == "guest":
            browser.get("/operator")
            browser.post(f"/operator/customers/{self.names['customer']}/enter")
        return browser

    def _settings(self) -> dict[str, object]:
        self._dns.zone |= {
            ("mx.emailgency.zz", "A"): ["198.51.100.7"],
            (DOMAIN, "MX"): ["10 mail.mydomain.zz."],
            ("mail.mydomain.zz", "A"): ["203.0.113.5"],
            (DOMAIN, "TXT"): [f'"v=spf1 mx -all {attack("dns")}"'.replace("\"'>", "'>")],
        }
        return {
            "credentials": {"memory": 64, "passes": 1},
            "web": {"connections": {"per_network": 400}},
            "dns": {"addresses": [self._dns.address], "ipv6": False},
            "egress": {"networks": ["127.0.0.1/32"], "ports": [25, self._foul.port, self._home.port]},
            "retry": {"probe_first": 0.5, "probe_longest": 0.5},
            "flush": {"interval": 0},
            "assistant": {"per_network": 100_000},
        }

    # ---- what an operator and an administrator have done -----------------------------------------------------

    def _fill(self) -> None:
        ask = self.server.command
        ask("customer add", domain=DOMAIN, smtp_transport=f"127.0.0.1:{self._foul.port}")
        ask("customer add", domain="home.zz", smtp_transport=f"127.0.0.1:{self._home.port}")
        ask("customer add", domain="friend.zz", relay="none")
        ask("operator add", name=PEOPLE["operator"])
        ask("operator password", name=PEOPLE["operator"], password=PASSWORD)
        ask("mailbox add", address=PEOPLE["user"])
        for address in (PEOPLE["user"], PEOPLE["administrator"], "postmaster@home.zz", "postmaster@friend.zz"):
            ask("password", address=address, password=PASSWORD)
        for name in ("ringo", "john", "maximiliane-charlotte.von-der-hohenstaufen-oberkirchen"):
            ask("mailbox add", address=f"{name}@{DOMAIN}")
        ask("mailbox set", address=f"ringo@{DOMAIN}", vip=True, administrator=True)
        ask("mailbox set", address=f"john@{DOMAIN}", smtp_denied=True, forward=["john@far.example"])
        for name in ("george", "info", "kontakt"):
            ask("alias add", address=f"{name}@{DOMAIN}", mailbox=PEOPLE["user"])
        ask("list add", address=f"beatles@{DOMAIN}", members=[f"{one}@{DOMAIN}" for one in ("paul", "ringo", "john")])
        ask("banish", address=f"i.am.spam@{DOMAIN}")
        ask("banish", address=f'"<img/data-attacked/src=x>attack-banished"@{DOMAIN}')
        ask("hold add", customer=DOMAIN, sender="*@held.example")
        ask("token add", address=PEOPLE["user"], name=attack("token")[:60])
        self.names |= {
            "address": quote(PEOPLE["user"]),
            "customer": str(ask("customer show", customer=DOMAIN)["id"]),
            "plan": "standard",
            "domain": DOMAIN,
        }
        self._folders()
        self._mail()
        self._links()
        self._second_factor()

    def _folders(self) -> None:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        port = self.server.ports["imaps"]
        with imaplib.IMAP4_SSL("127.0.0.1", port, ssl_context=context, timeout=20) as session:
            session.login(PEOPLE["user"], PASSWORD)
            session.create('"<img src=x onerror=alert(1) data-attacked> attack-folder"')

    # ---- what strangers have sent ----------------------------------------------------------------------------

    def _mail(self) -> None:
        unknown = f'"<img/src=x/onerror=alert(1)/data-attacked>attack-recipient"@{DOMAIN}'
        sender = '"<img/src=x/onerror=alert(1)/data-attacked>attack-sender"@far.example'
        self._send(sender, [PEOPLE["user"]], attack("subject"), attack("name"))
        self._send(sender, [unknown], attack("subject"), attack("name"))
        self._send("", [PEOPLE["user"], f"ringo@{DOMAIN}", f"john@{DOMAIN}", f"beatles@{DOMAIN}"], "Rechnung 118")
        self._send("anna@held.example", [f"ringo@{DOMAIN}"], "Bestellung 4711")
        for number in range(3):
            self._send("bert@far.example", [f"neu.{number}@{DOMAIN}"], f"Brief {number}")
        ask = self.server.command
        self.server.wait(lambda: "attack-answer" in str(ask("pending list")))
        self._foul.turn_away(f"421 4.3.2 {attack('banner')}")
        self._send("bert@far.example", [PEOPLE["user"]], "Brief 4")
        ask("pending flush", customer=DOMAIN)
        self.server.wait(lambda: "attack-banner" in str(ask("server show", customer=DOMAIN)))
        pending = ask("pending list", sender=sender, recipient=PEOPLE["user"])["messages"]
        self.names["pending"] = pending[0]["id"]
        self.names["candidate"] = quote(unknown)
        boss = self.browser("administrator")
        wanted = {f"neu.{number}@" for number in range(3)} | {"attack-recipient"}
        self.server.wait(
            lambda: (
                boss.post("/candidates/tidy").status == 303
                and wanted <= set(re.findall(r"neu\.\d@|attack-recipient", boss.get("/candidates").text))
            )
        )

    def _send(self, sender: str, recipients: list[str], subject: str, name: str = "Bert") -> None:
        with smtplib.SMTP("127.0.0.1", self.server.ports["smtp"], "sender.far.example", timeout=20) as client:
            with suppress(smtplib.SMTPResponseException):
                client.docmd("EHLO", "<img/src=x/data-attacked>attack-helo")
            text = (
                f"From: {encoded(name)} <bert@far.example>\r\nSubject: {encoded(subject)}\r\n"
                f"To: {encoded(attack('addressee'))} <x@{DOMAIN}>\r\n"
                f"X-Attack: {attack('head')}\r\nDate: {attack('date')}\r\n\r\nGuten Tag {attack('text')}\r\n"
            )
            client.ehlo("sender.far.example")
            client.sendmail(sender, recipients, text)

    def _second_factor(self) -> None:
        """Ringo has one."""
        ringo = f"ringo@{DOMAIN}"
        self.server.command("password", address=ringo, password=PASSWORD)
        browser = Browser(self.server.ports["https"]).log_in(ringo, PASSWORD)
        browser.get("/security")
        browser.post("/security/phone/new", {"password": PASSWORD})
        page = browser.get("/security/phone").text
        found = re.search(r"<code[^>]*>([A-Z2-7 ]{20,})</code>", page)
        assert found, page
        browser.post("/security/phone", {"code": Phone(found[1]).code()})

    # ---- what was mailed -------------------------------------------------------------------------------------

    def _links(self) -> None:
        boss = self.browser("administrator")
        boss.post("/contacts/add", {"address": "postmaster@friend.zz"})
        boss.post("/contacts/add", {"address": PEOPLE["user"]})
        boss.post("/domain/names/claim", {"domain": "claimed.zz"})
        away = boss.post("/mailboxes", {"address": [f"john@{DOMAIN}", f"nobody@{DOMAIN}"], "deed": "deny"}).away
        self.names["results"] = away.rpartition("/")[2]
        home = Browser(self.server.ports["https"]).log_in("postmaster@home.zz", PASSWORD)
        home.post("/mailboxes/add", {"local": "paul"})
        home.post("/mailboxes", {"address": ["paul@home.zz"], "deed": "password"})
        self.server.wait(lambda: len(self._home.messages) == 1)
        letter = self._home.messages[0].octets.decode("ascii", "replace")
        self.names["password_link"] = quote_plus(_token(_plain(letter), "password"))
        self.server.wait(lambda: self._contact_letter())
        self.names["contact_link"] = quote_plus(_token(self._contact_letter(), "contact"))

    def _contact_letter(self) -> str:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        port = self.server.ports["imaps"]
        with imaplib.IMAP4_SSL("127.0.0.1", port, ssl_context=context, timeout=20) as session:
            session.login("postmaster@friend.zz", PASSWORD)
            session.select("INBOX", readonly=True)
            found = session.fetch("1:*", "(BODY[])")[1]
        return _plain("".join(part[1].decode() for part in found if isinstance(part, tuple)))


def _token(letter: str, page: str) -> str:
    found = re.search(rf"/eg/{page}\?\w+=([\w.~-]+)", letter)
    return found[1] if found else ""


def _plain(letter: str) -> str:
    """Without the soft line ends of quoted-printable (RFC 2045 section 6.7)."""
    return letter.replace("=\r\n", "").replace("=3D", "=")
