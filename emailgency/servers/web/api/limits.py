"""What an operator can set about the API."""

from typing import Annotated

from msgspec import Meta, Struct


class ApiSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How often programs may ask."""

    per_second: Annotated[float, Meta(gt=0, description="Requests of one token a second, in the long run.")] = 20.0
    at_once: Annotated[int, Meta(ge=1, description="Requests of one token at once.")] = 200
    failures: Annotated[
        int, Meta(ge=1, description="Requests of one network (/24 or /64) in an hour with a token that is none.")
    ] = 60
