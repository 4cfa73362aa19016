"""Which messages belong together: ORDEREDSUBJECT and REFERENCES (RFC 5256 section 3).

Generators: they pause often, so that whoever runs them may let others run, and return the threads. Linear for any
References fields (reliability row 27), besides sorting by date.
"""

from collections.abc import Generator, Iterable, Sequence

from msgspec import Struct

from emailgency.model.threads import Thread

Steps = Generator[None, None, list[Thread]]

_PAUSE = 200  # messages between two pauses, 0.5 ms
_WALK = 50  # steps up a thread that are granted for each id; mail that real people wrote needs few


class Letter(Struct, frozen=True):
    """What threading needs of a message. `sent` in seconds since the epoch; strings compare as they are."""

    sent: int
    subject: str  # the base subject
    reply: bool
    id: str  # "" for none
    references: Sequence[str]  # the oldest first


class _Container:
    """A place in a thread, taken by a message or kept for one that is not there."""

    __slots__ = ("children", "message", "parent")

    def __init__(self, message: int | None = None) -> None:
        self.message = message
        self.parent: _Container | None = None
        self.children: dict[_Container, None] = {}


def ordered_subject(letters: Sequence[Letter]) -> Steps:
    """The first message of a subject by date, and the others below it."""
    subjects: dict[str, list[int]] = {}
    for message, letter in enumerate(letters):
        subjects.setdefault(letter.subject, []).append(message)
        if message % _PAUSE == 0:
            yield
    threads = []
    for messages in subjects.values():
        messages.sort(key=lambda message: letters[message].sent)
        threads.append(Thread(messages[0], [Thread(message, []) for message in messages[1:]]))
        yield
    threads.sort(key=lambda thread: (letters[thread.message or 0].sent, thread.message or 0))
    return threads


def references(letters: Sequence[Letter]) -> Steps:
    """By References and In-Reply-To, then by subject."""
    roots = yield from _Linking(letters).roots()
    roots = yield from _pruned(roots)
    first = _Order(letters)
    for root in roots:
        if root.message is None:
            root.children = dict.fromkeys(sorted(root.children, key=first))
    roots.sort(key=first)  # step 4
    yield
    roots = yield from _by_subject(letters, roots)
    return (yield from _sorted(roots, first))


class _Linking:
    """Step 1: a container for each id, linked by what the messages say of their ancestors."""

    def __init__(self, letters: Sequence[Letter]) -> None:
        self._letters = letters
        self._known: dict[str, _Container] = {}
        self._own: list[_Container] = []  # by message
        self._steps = 0  # up a thread that may still be taken

    def roots(self) -> Generator[None, None, list[_Container]]:
        """All that have no parent (step 2), those of messages first."""
        for message, letter in enumerate(self._letters):
            container = self._known.get(letter.id)
            if not letter.id or (container is not None and container.message is not None):
                container = _Container()  # none, or another message's: its own thread place, by no name
            elif container is None:
                container = self._known[letter.id] = _Container()
            container.message = message
            self._own.append(container)
            if message % _PAUSE == 0:
                yield
        for message, letter in enumerate(self._letters):
            yield from self._link(self._own[message], letter.references)
            if message % _PAUSE == 0:
                yield
        return [container for container in (*self._own, *self._dummies()) if container.parent is None]

    def _dummies(self) -> Iterable[_Container]:
        return (container for container in self._known.values() if container.message is None)

    def _link(self, own: _Container, ids: Sequence[str]) -> Generator[None, None, None]:
        self._steps += _WALK * (len(ids) + 1)
        parent: _Container | None = None
        for count, id in enumerate(ids, 1):
            container = self._known.get(id)
            if container is None:
                container = self._known[id] = _Container()
            if parent is not None and container.parent is None and not self._loops(parent, container):
                _adopt(parent, container)
            parent = container
            if count % _PAUSE == 0:
                yield
        # What the message itself says of its parent counts more than what others said (step 1 B).
        if own.parent is not None and own.parent is not parent:
            del own.parent.children[own]
            own.parent = None
        if parent is not None and own.parent is None and not self._loops(parent, own):
            _adopt(parent, own)

    def _loops(self, parent: _Container, child: _Container) -> bool:
        """Whether `parent` is `child` or below it. When too many steps have been taken the answer is yes."""
        if parent is child or not child.children:
            return parent is child
        above: _Container | None = parent
        while above is not None:
            self._steps -= 1
            if above is child or self._steps < 0:
                return True
            above = above.parent
        return False


def _adopt(parent: _Container, child: _Container) -> None:
    child.parent = parent
    parent.children[child] = None


def _pruned(roots: list[_Container]) -> Generator[None, None, list[_Container]]:
    """Step 3: dummies go, and their children take their place; but not several at the top."""
    order: list[_Container] = list(roots)
    for count, container in enumerate(order):  # grows: each before its children
        order.extend(container.children)
        if count % _PAUSE == 0:
            yield
    for count, container in enumerate(reversed(order)):
        if count % _PAUSE == 0:
            yield
        if any(child.message is None for child in container.children):
            children: dict[_Container, None] = {}
            for child in container.children:
                kept = (child,) if child.message is not None else child.children
                children.update(dict.fromkeys(kept))
            container.children = children
    kept_roots: list[_Container] = []
    for root in roots:
        if root.message is not None or len(root.children) > 1:
            kept_roots.append(root)
        else:
            kept_roots.extend(root.children)
    return kept_roots


class _Order:
    """The key to sort containers by: sent date, then place in the mailbox; a dummy goes by its first child."""

    def __init__(self, letters: Sequence[Letter]) -> None:
        self._letters = letters

    def __call__(self, container: _Container) -> tuple[int, int]:
        message = container.message
        if message is None:
            message = next(iter(container.children)).message
        assert message is not None  # below a dummy at the top there are only messages
        return self._letters[message].sent, message


def _by_subject(letters: Sequence[Letter], roots: list[_Container]) -> Generator[None, None, list[_Container]]:
    """Step 5: threads of one subject become one."""

    def told(root: _Container) -> tuple[str, bool]:
        message = root.message if root.message is not None else next(iter(root.children)).message
        letter = letters[message if message is not None else 0]
        return letter.subject, root.message is not None and letter.reply

    chosen: dict[str, _Container] = {}
    for count, root in enumerate(roots):
        subject, reply = told(root)
        other = chosen.get(subject)
        if subject and (
            other is None or (other.message is not None and (root.message is None or (told(other)[1] and not reply)))
        ):
            chosen[subject] = root
        if count % _PAUSE == 0:
            yield
    merged: dict[_Container, None] = dict.fromkeys(roots)
    for count, root in enumerate(roots):
        if count % _PAUSE == 0:
            yield
        subject, reply = told(root)
        into = chosen.get(subject)
        if into is None or into is root:
            continue
        del merged[root]
        if into.message is None:
            into.children.update(dict.fromkeys((root,) if root.message is not None else root.children))
        elif reply and not told(into)[1]:
            into.children[root] = None
        else:
            both = _Container()
            both.children = {into: None, root: None}
            del merged[into]
            merged[both] = None
            chosen[subject] = both
    return list(merged)


def _sorted(roots: list[_Container], first: _Order) -> Steps:
    """Step 6: siblings by date, the deepest first."""
    order: list[_Container] = list(roots)
    for count, container in enumerate(order):
        order.extend(container.children)
        if count % _PAUSE == 0:
            yield
    made: dict[_Container, Thread] = {}
    for count, container in enumerate(reversed(order)):
        if len(container.children) > 1:
            container.children = dict.fromkeys(sorted(container.children, key=first))
        made[container] = Thread(container.message, [made.pop(child) for child in container.children])
        if count % _PAUSE == 0:
            yield
    roots.sort(key=first)
    return [made[root] for root in roots]
