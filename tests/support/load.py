"""A storer under mixed load until it is killed or its disk loses power, over and over on the same data."""

import os
import random
import threading
import time
from collections.abc import Callable
from typing import Any

import msgspec

from emailgency.store.storing.messages import CreateFolder, Furnish
from emailgency.store.storing.syncing import Syncing
from tests.support.disk_image import DiskImage
from tests.support.fork_server import forked
from tests.support.ledger import RELAY
from tests.support.mailbox_work import MailboxScript
from tests.support.scenario import ARCHIVE, HOME, M1, M2, TO_M1, TO_M2, TO_WHO
from tests.support.storer import Gone, StorerProcess

PLANS = ([TO_M1], [TO_M1, TO_M2], [HOME, TO_M2], [TO_M1, TO_WHO, HOME], [HOME])
FOLDERS = (M1, M2, ARCHIVE)
CLIENTS = 20  # that come again after a start


def work(script: MailboxScript, chance: random.Random, prefix: str, under_way: threading.Event) -> None:
    """Random operations for ever; ends with Gone. `under_way`: mail has been promised."""
    script.storer.ask(CreateFolder(script.storer.number(), M1, True))
    script.storer.ask(CreateFolder(script.storer.number(), M2, True))
    script.storer.ask(Furnish(script.storer.number(), M1, (ARCHIVE,), ("INBOX", "Archive")))
    for step in range(1_000_000):
        fresh = [f"{prefix}.{step}.{index}" for index in range(chance.randrange(1, 8))]
        appended = [(f"{prefix}.{step}.a{index}", chance.choice(FOLDERS)) for index in range(chance.randrange(3))]
        script.commit(appended, **{label: chance.choice(PLANS) for label in fresh})
        under_way.set()
        known = chance.sample(sorted(script.ledger.worlds), min(6, len(script.ledger.worlds)))
        for label in filter(script.ledger.certain, known):
            _one(script, chance, label)


def _one(script: MailboxScript, chance: random.Random, label: str) -> None:
    world = script.ledger.known(label)
    places = [place for place in world if place in FOLDERS]
    if RELAY in world and label in script.ids and chance.random() < 0.5:
        script.finish(label, script.plan(label).index(HOME))
    elif places:
        source = chance.choice(places)
        deed = chance.randrange(6)
        if deed == 0 and sum(world.values()) < 6:
            script.copy([label], source, chance.choice(FOLDERS))
        elif deed == 1:
            script.copy([label], source, chance.choice(FOLDERS), move=True)
        elif deed == 2:
            script.flag(label, source)
        elif deed == 3:
            fresh = [f"{label}.{chance.getrandbits(32):x}" for _ in range(chance.randrange(2, 5))]
            script.append_together(fresh, source)
        elif deed == 4:
            script.replace(label, source, f"{label}.{chance.getrandbits(32):x}", chance.choice(FOLDERS))
        else:
            script.expunge(label, source)


def kills(data: str, seed: int, times: int) -> list[str]:
    """Kill the storer at a random moment, start, compare; `times` in a row on the same data."""

    def kill(storer: StorerProcess, delay: float) -> None:
        time.sleep(delay)
        os.kill(storer.pid, 9)

    return _rounds(data, seed, times, kill, lambda: None, lambda: None, trusting=True)


def power_losses(kind: str, image: str, seed: int, times: int, syncing: bool) -> list[str]:
    """The same with the power of the disk instead. `syncing` False: the control, in which every sync does nothing."""

    def unsynced() -> None:
        if not syncing:
            os.fsync = os.fdatasync = lambda descriptor: None
            Syncing.all_at_once = lambda syncing, count: True

    with DiskImage(kind, image) as disk:

        def lose_power(storer: StorerProcess, delay: float) -> None:
            time.sleep(delay)
            storer.mistrusted = True  # xfs lets an fsync that meets the shutdown return as if it had been done
            disk.lose_power()

        data = os.path.join(disk.mount_point, "data")
        return _rounds(data, seed, times, lose_power, disk.restart, unsynced, trusting=False)


def _rounds(
    data: str,
    seed: int,
    times: int,
    strike: Callable[[StorerProcess, float], None],
    restart: Callable[[], None],
    prepare: Callable[[], None],
    *,
    trusting: bool,
) -> list[str]:
    chance = random.Random(seed)
    ledger = None
    for turn in range(times):
        storer = StorerProcess(data, prepare)
        script = MailboxScript(data, storer, trusting=trusting)
        if ledger is not None:
            script.ledger = ledger
        ledger = script.ledger
        under_way = threading.Event()
        if turn % 4 == 3:  # now and then it falls before anything was promised
            under_way.set()
        blow = threading.Thread(target=_blow, args=(under_way, strike, storer, chance.uniform(0.005, 0.12)))
        blow.start()
        try:
            work(script, chance, f"{seed}.{turn}", under_way)
        except Gone:
            pass
        finally:
            under_way.set()
            blow.join()
            storer.close()
        restart()
        retries = msgspec.json.encode(list(script.retries.values())).decode()
        clients = msgspec.json.encode(script.clients[-CLIENTS:]).decode()
        good, result = forked("tests.support.recovery:recover", [data, retries, clients])
        if not good:
            return [f"turn {turn}", result]
        wrong: list[Any] = [*result["findings"], *ledger.complaints(data, result["pending"])]
        if wrong:
            return [f"turn {turn}", *wrong]
        ledger.observe(data, result["pending"])
    return []


def _blow(
    under_way: threading.Event, strike: Callable[[StorerProcess, float], None], storer: StorerProcess, delay: float
) -> None:
    under_way.wait()
    strike(storer, delay)
