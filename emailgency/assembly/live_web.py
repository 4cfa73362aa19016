"""What of the web has settings of its own, made once for the console and the API, and told when they change."""

from collections.abc import Callable
from typing import Protocol

from msgspec import Struct

from emailgency.flows.accounts.invitations import Invitations
from emailgency.flows.accounts.passwords import Passwords
from emailgency.flows.relaying.exchanges import Exchanges
from emailgency.flows.relaying.hand_over import HandOver
from emailgency.flows.relaying.means import Means
from emailgency.flows.relaying.relay import RelayFlow
from emailgency.flows.trust.signing import Signing
from emailgency.servers.web.console.console import ROOT
from emailgency.servers.web.console.pages import Pages
from emailgency.servers.web.console.password_letters import PasswordLetters
from emailgency.servers.web.limits import Web
from emailgency.settings import Settings
from emailgency.store.directory.directory import Directory
from emailgency.store.logins.captchas import Captchas
from emailgency.store.logins.passkey_challenges import PasskeyChallenges
from emailgency.store.logins.password_links import PasswordLinks
from emailgency.store.logins.web_sessions import WebSessions
from emailgency.store.redis.redis import Redis

SERVICE = "Emailgency"


class Parts(Protocol):
    """What it rests on."""

    clock: Callable[[], float]
    directory: Directory
    exchanges: Exchanges
    means: Means
    redis: Redis
    relay: RelayFlow
    signing: Signing


class LiveWeb(Struct, frozen=True):
    """Sessions, digits, what passkeys sign, and password links."""

    sessions: WebSessions
    captchas: Captchas
    challenges: PasskeyChallenges
    invitations: Invitations

    def adopt(self, settings: Web) -> None:
        """These settings from now on."""
        self.sessions.settings = settings.session
        self.captchas.settings = settings.captcha
        self.challenges.settings = settings.passkey
        self.invitations.adopt(settings.password_links)


def live_web(parts: Parts, settings: Settings, passwords: Passwords, https_port: int) -> LiveWeb:
    web = settings.web
    return LiveWeb(
        WebSessions(parts.redis, parts.clock, web.session),
        Captchas(parts.redis, web.captcha),
        PasskeyChallenges(parts.redis, web.passkey),
        Invitations(
            parts.directory,
            passwords,
            PasswordLinks(parts.redis, parts.clock),
            HandOver(parts.exchanges, parts.relay, parts.means, parts.signing),
            PasswordLetters(Pages(SERVICE), ROOT, https_port),
            settings.host_name,
            web.password_links,
        ),
    )
