"""All that FETCH says of a message without its octets, from one pass: to be made once and kept."""

from msgspec import Struct

from emailgency.codec.mime import bodystructure, search_extract, sections, structure
from emailgency.codec.mime.headers import Octets
from emailgency.codec.mime.sections import Places
from emailgency.codec.mime.structure import Part


class Summary(Struct, frozen=True, array_like=True):
    """Serialised answers, where the parts stand, and what a search of the usual fields looks through."""

    envelope: bytes
    bodystructure: bytes
    body: bytes
    places: Places
    texts: tuple[bytes, ...]  # of `search_extract.FIELDS`; empty when the header is too long to be kept


def summarise(octets: Octets) -> Summary:
    """Linear and bounded for any octets, but 20 MB can take 300 ms: do large ones in a thread."""
    return of_tree(octets, structure.read(octets))


def of_tree(octets: Octets, message: Part) -> Summary:
    """`message` is what `structure.read` made of these octets."""
    parts = bodystructure.serialise(octets, message)
    texts = search_extract.usual_texts(octets, message)
    return Summary(message.envelope or b"NIL", parts.extended, parts.body, sections.places(message), texts)
