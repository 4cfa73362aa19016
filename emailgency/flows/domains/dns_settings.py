"""What an operator sets about customers' domains in the DNS; apart from what uses it, since settings are read first."""

from typing import Annotated

from msgspec import Meta, Struct

from emailgency.net.dns import NEGATIVE_TTL


class Published(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What customers put into their DNS and their servers so that others trust us."""

    spf: Annotated[
        str,
        Meta(
            pattern="^[!-~]*$",
            description='The mechanism that customers add to their SPF record, "include:spf.example.net". Empty: '
            '"a:" and `host_name`.',
        ),
    ] = ""
    addresses: Annotated[
        tuple[str, ...],
        Meta(description="The addresses that our mail leaves from, as others see them. Empty: those of `host_name`."),
    ] = ()

    def __post_init__(self) -> None:
        from ipaddress import ip_address

        for one in self.addresses:
            try:
                ip_address(one)
            except ValueError as error:
                raise ValueError(f"addresses: {error}") from None


class DriftSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How customers' domains are watched in the DNS."""

    interval: Annotated[float, Meta(ge=60, description="Seconds between two looks at one domain")] = 3600.0
    confirm: Annotated[
        float, Meta(ge=0, description="Seconds after which a change must still be there, to count as one")
    ] = NEGATIVE_TTL + 60


class AssistantSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The page that checks the DNS of any domain, for anybody."""

    per_network: Annotated[
        int, Meta(ge=1, description="Checks that one network (/24 or /64) has at once; it gets one back each minute")
    ] = 10
    per_second: Annotated[float, Meta(gt=0, description="Checks a second of everybody together")] = 1.0
