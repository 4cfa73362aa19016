"""Large folders are indexed while mail comes, also when nobody reads them: the first search in them is quick, too.

In an emergency many people open mailboxes that have been filling for hours. Small folders cost nothing here: they are
searched quickly by reading, so nobody's mail is decoded for nothing.
"""

from emailgency.background import background
from emailgency.store.mailboxes.folders import Folders
from emailgency.store.searching.index import SearchIndex
from emailgency.store.storing.replies import Delivered, Refused

LARGE = 1000  # messages; reading as many takes 50 ms
EVERY = 250  # messages that come until a folder is looked at again
_COUNTED = 20_000  # folders whose new messages are counted


class Backlog:
    """Tell it of what was `delivered`."""

    def __init__(self, folders: Folders, index: SearchIndex) -> None:
        self._folders = folders
        self._index = index
        self._came: dict[str, int] = {}  # by folder, since it was looked at

    def delivered(self, event: Delivered) -> None:
        for placed in event.placed:
            came = self._came.pop(placed.folder, 0) + 1
            if came < EVERY:
                self._came[placed.folder] = came
            else:
                background("indexing a large folder", self._look(placed.folder))
        while len(self._came) > _COUNTED:
            del self._came[next(iter(self._came))]

    async def _look(self, path: str) -> None:
        folder = await self._folders.open(path)
        if not isinstance(folder, Refused) and len(folder) >= LARGE:
            self._index.want(folder)
