"""Another Maildir program: changes flags, removes, and puts messages into a folder while a server works there.

    python -m tests.support.neighbour <folder> <seed>

Each line on standard input is one deed; it answers "done" when it has tried. By the rules of
<https://cr.yp.to/proto/maildir.html>: nothing but names, one rename or unlink each.
"""

import contextlib
import os
import random
import sys
import time


def deed(folder: str, chance: random.Random, count: int) -> None:
    """What it wants may be gone under its hands: then it does nothing."""
    if chance.random() < 0.25:
        unique = f"{int(time.time())}.M{count}P{os.getpid()}.neighbour"
        with open(f"{folder}/tmp/{unique}", "wb") as file:
            file.write(b"From: n@other.zz\r\nSubject: from beside %d\r\n\r\nHello\r\n" % count)
        os.rename(f"{folder}/tmp/{unique}", f"{folder}/new/{unique}")
        return
    where = chance.choice(("cur", "cur", "new"))
    names = sorted(os.listdir(f"{folder}/{where}"))
    if not names:
        return
    name = chance.choice(names)
    base, _, letters = name.partition(":2,")
    with contextlib.suppress(FileNotFoundError):
        if chance.random() < 0.3:
            os.unlink(f"{folder}/{where}/{name}")
        else:
            changed = "".join(sorted(set(letters) ^ {chance.choice("FRS")}))
            os.rename(f"{folder}/{where}/{name}", f"{folder}/cur/{base}:2,{changed}")


def main() -> None:
    folder, seed = sys.argv[1:]
    chance = random.Random(seed)
    for count, _ in enumerate(sys.stdin):
        deed(folder, chance, count)
        print("done", flush=True)


if __name__ == "__main__":
    main()
