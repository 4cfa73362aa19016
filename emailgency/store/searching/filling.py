"""The cache grows: what somebody reads is indexed by the process beside the server, a hundred messages a request."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from emailgency.background import background
from emailgency.model.errors import Temporary
from emailgency.store.mailboxes.folder import UNKNOWN, Folder
from emailgency.store.searching import memory
from emailgency.store.searching.line import IndexerDied, IndexerLine
from emailgency.store.searching.memory import Known, Memory
from emailgency.store.searching.messages import Forget, Index
from emailgency.store.searching.shelf import Shelf, path_of

_SOON = 0.25  # seconds until the process is asked: who selects a folder wants something of it first
_BATCH = 100  # messages a request, some 20 ms of the process
_AHEAD = 2  # requests that wait at the process, so that it need not


class Filling:
    """One folder at a time is filled once."""

    _log = Logger()

    def __init__(self, reactor: Any, memory: Memory, shelf: Shelf) -> None:
        self._reactor = reactor
        self._memory = memory
        self._shelf = shelf
        self._waiting: dict[Folder, Any] = {}  # timers
        self.line = IndexerLine(reactor)

    async def stop(self) -> None:
        for waiting in self._waiting.values():
            waiting.cancel()
        self._waiting.clear()
        await self.line.stop()

    def want(self, folder: Folder) -> None:
        """See that new messages come in. Costs next to nothing when there are none."""
        if not memory.worth_it(folder) or folder.gone:
            return
        known = self._memory.of(folder)
        state = (folder.uidnext, len(folder))
        if not known.filling and known.looked != state:
            known.filling = True
            known.looked = state
            self._waiting[folder] = self._reactor.callLater(_SOON, self._begin, folder, known)

    def _begin(self, folder: Folder, known: Known) -> None:
        del self._waiting[folder]
        background("filling the search cache", self._fill(folder, known))

    async def _fill(self, folder: Folder, known: Known) -> None:
        waiting: list[Deferred[None]] = []
        try:
            await self._shelf.load(folder, known)
            if len(known.uids) > 2 * len(folder) + memory.FEW:  # most of it has been expunged
                await self.line.ask(Forget(self.line.number(), path_of(folder), folder.path))
                known.reset()
                return
            missing = [uid for uid in folder.uids if uid not in known.uids and uid not in known.refused]
            for start in range(0, len(missing), _BATCH):
                if folder.gone:
                    break
                waiting.append(Deferred.fromCoroutine(self._index(folder, known, missing[start : start + _BATCH])))
                if len(waiting) > _AHEAD:
                    await waiting.pop(0)
            while waiting:
                await waiting.pop(0)
        except Temporary as error:
            for one in waiting:
                one.addErrback(lambda _: None)  # they fail like the first
            known.reset()
            self._shelf.told(path_of(folder), error)
        finally:
            known.filling = False

    async def _index(self, folder: Folder, known: Known, uids: list[int]) -> None:
        places = [(uid, folder.index(uid)) for uid in uids]
        files = tuple((uid, folder.names[place]) for uid, place in places if place >= 0)
        line, path = self.line, path_of(folder)
        try:
            reply = await line.ask(Index(line.number(), path, folder.root, folder.path, folder.uidvalidity, files))
        except IndexerDied:
            known.refused.update(uids)
            self._log.error("indexer died with UIDs {uids} of {path!r}", uids=uids[:1] + uids[-1:], path=folder.path)
            return
        if folder.summarised != UNKNOWN:
            folder.summarised = max(folder.summarised, *uids)  # these came into that cache, too
        if known.blocks is not None:
            for id in reply.replaced:
                known.drop(id)
            for fields in reply.blocks:
                known.add(fields)
            known.unread(folder)  # the next search need not go through all messages for that
