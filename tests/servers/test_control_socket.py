"""The control socket: who may speak, what is answered, and that nobody's line can grow without bound."""

import json
import os
import shutil
import socket
import stat
import tempfile
from typing import Any

from msgspec import Struct
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from emailgency.command.exchange import exchange
from emailgency.command.failure import NO_SERVER, REFUSED, TROUBLE, USAGE, CommandFailed
from emailgency.flows.addresses.import_rows import WrongFile
from emailgency.model.errors import Invalid, Temporary
from emailgency.servers.control.command import Asker, Command
from emailgency.servers.control.line import LONGEST_LINE
from emailgency.servers.control.listening import MOST_LINES, Control, answers


class Named(Struct, forbid_unknown_fields=True):
    name: str


class Nothing(Struct, forbid_unknown_fields=True):
    pass


class ControlSocket(TestCase):
    def setUp(self) -> None:
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        self.data = os.path.join(folder, "a folder whose name is longer than a socket's may be " * 2)
        os.makedirs(self.data)
        self.asked: list[tuple[str, str]] = []
        self.gate: Deferred[None] = Deferred()
        commands = {
            "greet": Command(Named, self.greet),
            "refuse": Command(Nothing, self.refuse),
            "trouble": Command(Nothing, self.trouble),
            "break": Command(Nothing, self.break_),
            "wrong file": Command(Nothing, self.wrong_file),
            "long": Command(Nothing, self.long),
        }
        self.control = Control(self.data, commands)
        self.control.start(reactor)
        self.addCleanup(lambda: Deferred.fromCoroutine(self.control.stop()))

    async def greet(self, named: Named, asker: Asker) -> object:
        self.asked.append((named.name, asker.user))
        return {"hello": named.name}

    async def refuse(self, nothing: Nothing, asker: Asker) -> object:
        raise Invalid("not on a Sunday")

    async def trouble(self, nothing: Nothing, asker: Asker) -> object:
        raise Temporary("Redis is away")

    async def break_(self, nothing: Nothing, asker: Asker) -> object:
        raise ZeroDivisionError("secret words")

    async def wrong_file(self, nothing: Nothing, asker: Asker) -> object:
        raise WrongFile([(7, "is wrong")])

    async def long(self, nothing: Nothing, asker: Asker) -> object:
        for done in range(3):
            asker.progress("passwords hashed", done, 3)
        await self.gate
        return "done"

    async def ask(self, command: str, **arguments: Any) -> Any:
        self.progress: list[dict[str, Any]] = []
        return await deferToThread(exchange, self.data, command, arguments, self.progress.append)

    async def failure(self, command: str, **arguments: Any) -> CommandFailed:
        try:
            await self.ask(command, **arguments)
        except CommandFailed as failed:
            return failed
        raise AssertionError("it was done")

    async def raw(self, octets: bytes, final: int = 1) -> list[dict[str, Any]]:
        """All answers up to the `final`-th that is no progress, or to the end of the connection."""

        def talk() -> list[dict[str, Any]]:
            with socket.socket(socket.AF_UNIX) as line:
                folder = os.open(self.data, os.O_PATH)
                line.connect(f"/proc/self/fd/{folder}/control")
                os.close(folder)
                line.settimeout(10)
                try:
                    line.sendall(octets)
                except BrokenPipeError:
                    return []
                answers: list[dict[str, Any]] = []
                with line.makefile("rb") as lines:
                    while sum("progress" not in answer for answer in answers) < final and (text := lines.readline()):
                        answers.append(json.loads(text))
                return answers

        return await deferToThread(talk)

    async def test_the_socket_is_for_its_owner_alone(self) -> None:
        mode = os.stat(os.path.join(self.data, "control")).st_mode
        self.assertTrue(stat.S_ISSOCK(mode))
        self.assertEqual(stat.S_IMODE(mode), 0o600)

    async def test_a_command_is_done_for_the_user_the_kernel_names(self) -> None:
        import pwd

        self.assertEqual(await self.ask("greet", name="Paul"), {"hello": "Paul"})
        self.assertEqual(self.asked, [("Paul", pwd.getpwuid(os.geteuid()).pw_name)])

    async def test_each_failure_has_its_kind(self) -> None:
        for command, arguments, status in [
            ("refuse", {}, REFUSED),
            ("trouble", {}, TROUBLE),
            ("break", {}, TROUBLE),
            ("no such", {}, USAGE),
            ("greet", {}, USAGE),
            ("greet", {"name": 7}, USAGE),
            ("greet", {"name": "x", "more": 1}, USAGE),
        ]:
            self.assertEqual((await self.failure(command, **arguments)).status, status, command)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    async def test_a_failure_nobody_foresaw_tells_its_words_to_the_log_only(self) -> None:
        self.assertNotIn("secret", str(await self.failure("break")))
        self.flushLoggedErrors(ZeroDivisionError)

    async def test_a_refusal_brings_its_lines(self) -> None:
        self.assertEqual((await self.failure("wrong file")).details, ("line 7: is wrong",))

    async def test_long_work_tells_how_far_it_is(self) -> None:
        reactor.callLater(0, self.gate.callback, None)
        self.assertEqual(await self.ask("long"), "done")
        self.assertEqual([report["done"] for report in self.progress], [0, 1, 2])

    async def test_requests_in_one_piece_are_answered_in_order(self) -> None:
        one = b'{"command":"greet","arguments":{"name":"%d"}}\n'
        reactor.callLater(0, self.gate.callback, None)
        answers = await self.raw(one % 1 + b'{"command":"long"}\n' + one % 2 + one % 3, final=4)
        results = [answer["result"] for answer in answers if "result" in answer]
        self.assertEqual(results, [{"hello": "1"}, "done", {"hello": "2"}, {"hello": "3"}])

    async def test_what_is_no_request_is_answered(self) -> None:
        for line in (b"\n", b"{}\n", b"null\n", b'{"command":1}\n', b"\xff\n", b"[" * 5000 + b"\n"):
            answers = await self.raw(line)
            self.assertEqual([answer["error"]["kind"] for answer in answers], ["usage"], line[:20])

    async def test_a_line_without_end_is_cut(self) -> None:
        answers = await self.raw(b"x" * (LONGEST_LINE + 1))
        self.assertLessEqual(len(answers), 1)  # who does not stop writing may not get to read it

    async def test_who_goes_away_does_not_stop_what_he_asked_for(self) -> None:
        with socket.socket(socket.AF_UNIX) as line:
            folder = os.open(self.data, os.O_PATH)
            line.connect(f"/proc/self/fd/{folder}/control")
            os.close(folder)
            line.sendall(b'{"command":"greet","arguments":{"name":"gone"}}\n')
        while not self.asked:
            await deferToThread(lambda: None)
        self.assertEqual(self.asked[0][0], "gone")

    async def test_more_persons_than_may_work_at_once_are_served_one_after_the_other(self) -> None:
        for number in range(MOST_LINES + 5):
            self.assertEqual(await self.ask("greet", name=str(number)), {"hello": str(number)})

    async def test_a_second_server_on_the_same_folder_is_refused(self) -> None:
        with self.assertRaises(Invalid):
            Control(self.data, {}).start(reactor)
        self.assertEqual(await self.ask("greet", name="still there"), {"hello": "still there"})

    async def test_a_socket_left_by_a_killed_server_is_no_server(self) -> None:
        other = os.path.join(os.path.dirname(self.data), "other")
        os.mkdir(other)
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(os.path.relpath(os.path.join(other, "control")))
        self.assertFalse(answers(os.path.relpath(os.path.join(other, "control"))))
        control = Control(other, {})
        control.start(reactor)
        self.assertTrue(answers(os.path.relpath(os.path.join(other, "control"))))
        await control.stop()
        self.assertFalse(answers(os.path.relpath(os.path.join(other, "control"))))
        self.assertEqual(os.listdir(other), [])

    async def test_without_a_server_the_words_say_how_to_start_one(self) -> None:
        try:
            exchange(os.path.dirname(self.data), "customer list", {}, lambda report: None)
        except CommandFailed as failed:
            self.assertEqual(failed.status, NO_SERVER)
            self.assertIn("twistd -n emailgency", str(failed))
        else:
            self.fail("somebody answered")
