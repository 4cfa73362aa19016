"""Every bound of a conversation with an SMTP client, each a setting with a safe default (attack rows 3, 7, 28)."""

from typing import Annotated

from msgspec import Meta, Struct


class SmtpLimits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The section `smtp.limits` of the settings. Sizes in octets, times in seconds."""

    command_line: Annotated[
        int, Meta(ge=512, description="Longest command line, CRLF included (RFC 5321 section 4.5.3.1.4 asks for 512).")
    ] = 2048
    auth_line: Annotated[
        int, Meta(ge=512, description="Longest line of an AUTH dialogue (RFC 4954 section 4.5.3.1).")
    ] = 12_288
    body_line: Annotated[
        int,
        Meta(
            ge=998,
            description="Longest line of a message; a message with a longer one is refused with 550 after it was read.",
        ),
    ] = 1_048_576
    recipients: Annotated[
        int, Meta(ge=100, description="Most recipients of one message; further ones get 452 (RFC 5321 asks for 100).")
    ] = 1000
    errors: Annotated[
        int, Meta(ge=1, description="Syntax and sequence errors without a message that close a connection with 421.")
    ] = 20
    refused_recipients: Annotated[
        int, Meta(ge=1, description="Permanently refused recipients after which a connection is closed with 421.")
    ] = 100
    idle_commands: Annotated[
        int,
        Meta(ge=1, description="NOOP, RSET, VRFY, HELP, EHLO … between two messages that close a connection with 421."),
    ] = 100
    auth_attempts: Annotated[int, Meta(ge=1, description="Failed AUTH attempts that close a connection with 421.")] = 3
    greeting_time: Annotated[
        float, Meta(gt=0, description="Time from connecting to the first accepted MAIL or AUTH.")
    ] = 120.0
    command_time: Annotated[
        float, Meta(gt=0, description="Time to wait for a complete command (RFC 5321 section 4.5.3.2.7 asks for 300).")
    ] = 300.0
    transaction_time: Annotated[float, Meta(gt=0, description="Time from an accepted MAIL to DATA or BDAT.")] = 900.0
    connection_time: Annotated[
        float, Meta(gt=0, description="Age after which a connection gets 421 instead of another transaction.")
    ] = 3600.0
    data_grace: Annotated[
        float,
        Meta(gt=0, description="Time from DATA before its average rate is looked at (RFC 5321 section 4.5.3.2.5)."),
    ] = 180.0
    data_rate: Annotated[
        int, Meta(ge=1, description="Least average rate of a message's octets, in octets a second.")
    ] = 1024
    farewell_time: Annotated[
        float, Meta(gt=0, description="Time a client gets to read our last words before the connection is aborted.")
    ] = 10.0
