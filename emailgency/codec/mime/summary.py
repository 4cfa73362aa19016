"""All that FETCH says of a message without its octets, from one pass: to be made once and kept."""

from msgspec import Struct

from emailgency.codec.mime import bodystructure, sections, structure
from emailgency.codec.mime.headers import Octets
from emailgency.codec.mime.sections import Places
from emailgency.codec.mime.structure import Part


class Summary(Struct, frozen=True, array_like=True):
    """Serialised answers, and where the parts stand."""

    envelope: bytes
    bodystructure: bytes
    body: bytes
    places: Places


def summarise(octets: Octets) -> Summary:
    """Linear and bounded for any octets, but 20 MB can take 300 ms: do large ones in a thread."""
    return of_tree(octets, structure.read(octets))


def of_tree(octets: Octets, message: Part) -> Summary:
    """`message` is what `structure.read` made of these octets."""
    parts = bodystructure.serialise(octets, message)
    return Summary(message.envelope or b"NIL", parts.extended, parts.body, sections.places(message))
