"""The figures at /metrics and where each is read. No customer's name and no address stands in them."""

from typing import TYPE_CHECKING

from emailgency.servers.web.metrics import Figure

if TYPE_CHECKING:
    from emailgency.app import App


def figures(app: "App") -> list[Figure]:
    """All of them; each is read when somebody asks."""
    spool, stall = app.spool, app.stall
    return [
        Figure("emailgency_connections", "Open connections.", lambda: connections(app), "service"),
        Figure("emailgency_live_messages", "Messages with a target left.", lambda: len(spool.live)),
        Figure(
            "emailgency_accepting", "1 while mail is taken in, 0 when the disk is low.", lambda: spool.accepting is None
        ),
        Figure("emailgency_stall_seconds", "Longest stall of the reactor in the last minutes.", lambda: stall.recent),
        Figure("emailgency_stall_seconds_worst", "Longest stall since the start.", lambda: stall.worst),
    ]


def connections(app: "App") -> dict[str, float]:
    """Open ones, by service."""
    return {
        **{service: len(smtp.connections) for service, smtp in app.smtp.items()},
        "imap": len(app.imap.connections) if app.imap else 0,
    }
