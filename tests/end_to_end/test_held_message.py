"""A message that somebody holds is held after the server was killed, and may go once it is released."""

import smtplib

from tests.support.command import answer, emailgency
from tests.support.server import Server


def test_a_held_message_is_held_after_a_kill(tmp_path) -> None:
    server = Server(tmp_path).start()
    try:
        answer(server.data, "customer", "add", "first.zz", "--relay", "hold")
        with smtplib.SMTP("127.0.0.1", server.ports["smtp"], timeout=20) as session:
            session.sendmail("anna@sender.example", ["postmaster@first.zz"], "Subject: test\r\n\r\nhello\r\n")
        server.wait(lambda: answer(server.data, "pending", "list")["messages"])
        (message,) = answer(server.data, "pending", "list")["messages"]
        emailgency(server.data, "pending", "hold", message["id"])
        server.kill()
        server.start()
        server.wait(lambda: answer(server.data, "pending", "list")["messages"])
        (held,) = answer(server.data, "pending", "list")["messages"]
        assert (held["id"], held["held"], held["expires_at"]) == (message["id"], True, None)
        server.wait(lambda: isinstance(answer(server.data, "where", message["id"]), dict))
        told = answer(server.data, "where", message["id"])  # the ledger was killed too, before it had read of it
        assert [one["state"] for one in told["copies"]] == ["stored", "held"]
        assert [(one["word"], bool(one["by"])) for one in told["steps"]] == [("delivered", False), ("held", True)]
        emailgency(server.data, "pending", "release", message["id"])
        (released,) = answer(server.data, "pending", "show", message["id"])
        assert released["held"] is False
    finally:
        server.stop()
