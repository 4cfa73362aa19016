"""Programs we did not write use the IMAP server: imaplib, IMAPClient, curl, mbsync, neomutt."""

import imaplib
import os
import shutil
import subprocess
import tempfile
from typing import Any

import pytest
from imapclient import IMAPClient
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from tests.support.imap import MESSAGE, PASSWORD, Office


class Programs(TestCase):
    async def setUp(self) -> None:
        self.office = await Office().start()
        self.folder = tempfile.mkdtemp(prefix="programs-")

    async def tearDown(self) -> None:
        await self.office.stop()
        shutil.rmtree(self.folder)

    async def run_program(self, *words: str, **options: Any) -> str:
        """Its standard output; fails with all it said when it fails."""

        def run() -> subprocess.CompletedProcess[str]:
            return subprocess.run(words, capture_output=True, text=True, timeout=60, cwd=self.folder, **options)

        done = await deferToThread(run)
        assert done.returncode == 0, (words, done.returncode, done.stdout, done.stderr)
        return done.stdout

    async def test_imaplib_reads_searches_flags_copies_and_removes(self) -> None:
        await self.office.fill(MESSAGE, MESSAGE + b"second\r\n")

        def use() -> None:
            with imaplib.IMAP4("127.0.0.1", self.office.port) as client:
                client.login("paul", PASSWORD)
                assert client.select("INBOX") == ("OK", [b"2"])
                assert client.search(None, "SUBJECT", "invoice") == ("OK", [b"1 2"])
                word, data = client.fetch("2", "(BODY.PEEK[])")
                assert (word, data[0][1]) == ("OK", MESSAGE + b"second\r\n")
                assert client.copy("1:2", "Archive")[0] == "OK"
                assert client.store("1", "+FLAGS", "\\Deleted")[0] == "OK"
                assert client.expunge() == ("OK", [b"1"])
                assert client.append("Sent", "\\Seen", None, MESSAGE)[0] == "OK"
                assert client.status("Archive", "(MESSAGES)") == ("OK", [b"Archive (MESSAGES 2)"])
                assert client.create("Later")[0] == "OK"
                assert client.rename("Later", "Sooner")[0] == "OK"
                assert client.delete("Sooner")[0] == "OK"
                assert client.uid("SEARCH", "ALL") == ("OK", [b"2"])
                assert client.close()[0] == "OK"

        await deferToThread(use)

    async def test_imapclient_moves_and_idles(self) -> None:
        await self.office.fill(MESSAGE, MESSAGE)

        def use() -> None:
            with IMAPClient("127.0.0.1", self.office.port, ssl=False) as client:
                client.login("paul", PASSWORD)
                assert client.select_folder("INBOX")[b"EXISTS"] == 2
                fetched = client.fetch([1, 2], ["ENVELOPE", "FLAGS", "BODYSTRUCTURE", "INTERNALDATE", "RFC822.SIZE"])
                assert fetched[1][b"ENVELOPE"].subject == b"Invoice"
                assert fetched[2][b"BODYSTRUCTURE"][:2] == (b"text", b"plain")
                assert client.add_flags([1], ["$Forwarded"]) == {1: (b"$Forwarded", b"\\Recent")}
                assert client.search(["KEYWORD", "$Forwarded"]) == [1]
                client.move([1], "Archive")
                assert client.search() == [2]
                assert client.folder_exists("Archive")
                assert {name for _, _, name in client.list_folders()} >= {"INBOX", "Archive", "Sent"}
                assert client.find_special_folder(b"\\Sent") == "Sent"
                client.idle()
                with IMAPClient("127.0.0.1", self.office.port, ssl=False) as other:
                    other.login("paul", PASSWORD)
                    other.append("INBOX", MESSAGE)
                assert (2, b"EXISTS") in client.idle_check(timeout=10)
                client.idle_done()

        await deferToThread(use)

    @pytest.mark.peer("curl")
    async def test_curl_lists_reads_and_stores(self) -> None:
        await self.office.fill(MESSAGE)
        url = f"imap://127.0.0.1:{self.office.port}"
        user = ("--silent", "--show-error", "--user", f"paul:{PASSWORD}")
        assert "INBOX" in await self.run_program("curl", *user, url)
        read = await self.run_program("curl", *user, f"{url}/INBOX;UID=1")
        assert read.encode() == MESSAGE.replace(b"\r\n", b"\n")
        path = os.path.join(self.folder, "message")
        with open(path, "wb") as file:
            file.write(MESSAGE)
        await self.run_program("curl", *user, "--upload-file", path, f"{url}/Sent")
        assert "MESSAGES 1" in await self.run_program("curl", *user, url, "--request", "STATUS Sent (MESSAGES)")
        assert "* SEARCH 1" in await self.run_program("curl", *user, f"{url}/INBOX?SUBJECT%20Invoice")

    @pytest.mark.peer("mbsync")
    async def test_mbsync_syncs_both_ways_and_then_has_nothing_to_do(self) -> None:
        await self.office.fill(MESSAGE, MESSAGE + b"2\r\n", letters="S")
        near = os.path.join(self.folder, "mail")
        os.makedirs(near)
        rules = os.path.join(self.folder, "mbsyncrc")
        with open(rules, "w", encoding="ascii") as file:
            file.write(
                f"IMAPAccount a\nHost 127.0.0.1\nPort {self.office.port}\nUser paul\nPass {PASSWORD}\nSSLType None\n"
                f"AuthMechs LOGIN\n\nIMAPStore far\nAccount a\n\nMaildirStore near\nPath {near}/\nInbox {near}/INBOX\n"
                f"SubFolders Verbatim\n\nChannel c\nFar :far:\nNear :near:\nPatterns *\nCreate Both\nExpunge Both\n"
                f"SyncState {self.folder}/state/\n"
            )
        os.makedirs(os.path.join(self.folder, "state"))
        sync = ("mbsync", "-c", rules, "-V", "c")
        await self.run_program(*sync)
        cur = os.path.join(near, "INBOX", "cur")
        assert len(os.listdir(cur)) == 2
        # two changes here, one there
        first = next(name for name in sorted(os.listdir(cur)))
        os.rename(os.path.join(cur, first), os.path.join(cur, first.partition(":")[0] + ":2,FS"))
        with open(os.path.join(near, "INBOX", "new", "1.here.host"), "wb") as file:
            file.write(MESSAGE.replace(b"\r\n", b"\n") + b"from here\n")
        await self.office.fill(MESSAGE + b"from there\r\n")
        await self.run_program(*sync)
        names = os.listdir(cur) + os.listdir(os.path.join(near, "INBOX", "new"))
        assert len(names) == 4
        client = await self.office.member(folder="INBOX")
        assert len(await client.ok(b"FETCH 1:* FLAGS")) == 4
        assert await client.ok(b"SEARCH FLAGGED") == [b"* SEARCH 1"]
        before = await self.snapshot(client), self.tree(near)
        await self.run_program(*sync)
        assert (await self.snapshot(client), self.tree(near)) == before

    @staticmethod
    def tree(folder: str) -> list[str]:
        return sorted(os.path.join(path, name) for path, _, names in os.walk(folder) for name in names)

    async def snapshot(self, client: Any) -> list[bytes]:
        await client.ok(b"NOOP")
        return await client.ok(b"STATUS INBOX (UIDNEXT UIDVALIDITY MESSAGES)") + await client.ok(b"UID FETCH 1:* FLAGS")

    @pytest.mark.peer("neomutt", "script")
    async def test_neomutt_opens_tags_and_saves(self) -> None:
        await self.office.fill(*(MESSAGE + b"%d\r\n" % number for number in range(5)))
        rules = os.path.join(self.folder, "muttrc")
        with open(rules, "w", encoding="ascii") as file:
            file.write(
                f"set folder=imap://paul@127.0.0.1:{self.office.port}/\nset imap_pass={PASSWORD}\n"
                f"set spoolfile=+INBOX\nset header_cache={self.folder}/cache\nset ssl_starttls=no\n"
                "set ssl_force_tls=no\nset imap_authenticators=login\nset confirmappend=no\nset wait_key=no\n"
                "set delete=yes\nset quit=yes\nset move=no\nset sort=mailbox-order\n"
                'push "<first-entry><flag-message><next-entry><save-message><kill-line>=Archive<enter><quit>"\n'
            )
        environment = {**os.environ, "TERM": "xterm", "HOME": self.folder}
        await self.run_program("script", "-qec", f"neomutt -n -F {rules}", "/dev/null", env=environment)
        client = await self.office.member(folder="INBOX")
        assert await client.ok(b"SEARCH FLAGGED") == [b"* SEARCH 1"]
        assert await client.ok(b"UID SEARCH ALL") == [b"* SEARCH 1 2 4 5"]
        assert await client.ok(b"STATUS Archive (MESSAGES)") == [b"* STATUS Archive (MESSAGES 1)"]
