"""What an operator can set about the web."""

from typing import Annotated

from msgspec import Meta, Struct

from emailgency.servers.connections import ConnectionLimits, Proxies, check_proxies
from emailgency.servers.web.api.limits import ApiSettings
from emailgency.store.logins.captchas import CaptchaSettings
from emailgency.store.logins.passkey_challenges import PasskeySettings
from emailgency.store.logins.password_links import PasswordLinkSettings
from emailgency.store.logins.web_sessions import WebSessionSettings


class Web(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """HTTP for everybody: the console, the JSON API, the assistants and the settings that mail programs look for."""

    connections: ConnectionLimits = ConnectionLimits()
    proxies: Proxies = ()
    idle_seconds: Annotated[
        int, Meta(ge=5, le=600, description="Seconds of silence before a connection is closed.")
    ] = 30
    connection_seconds: Annotated[
        int, Meta(ge=10, le=86400, description="Age at which a connection is closed, whatever it does.")
    ] = 120
    session: WebSessionSettings = WebSessionSettings()
    password_links: PasswordLinkSettings = PasswordLinkSettings()
    captcha: CaptchaSettings = CaptchaSettings()
    passkey: PasskeySettings = PasskeySettings()
    api: ApiSettings = ApiSettings()
    body_octets: Annotated[
        int, Meta(ge=0, le=1 << 30, description="Longest body of a request; a longer one is refused with 413.")
    ] = 65_536

    def __post_init__(self) -> None:
        check_proxies(self.proxies)
