"""Whether a server's certificate proves who it is: by authorities everybody trusts, or by its TLSA records in the DNS.

A `Fault` bears the word that reports have for it (RFC 8460 section 4.3) and a reason for people.
"""

from functools import lru_cache
from hashlib import sha256, sha512
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from OpenSSL import crypto
from OpenSSL.SSL import Connection

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

DANE_TA, DANE_EE = 2, 3  # RFC 7672 section 3.1: the usages that count for mail
_LENGTHS = {1: 32, 2: 64}  # octets of SHA-256 and SHA-512


class Fault(Struct, frozen=True):
    """Why it proves nothing."""

    word: str
    reason: str


class Tlsa(Struct, frozen=True):
    """One TLSA record (RFC 6698 section 2.1)."""

    usage: int
    selector: int
    matching: int
    data: bytes

    @property
    def usable(self) -> bool:
        """RFC 7672 section 3.1.3: others are as if they were not there."""
        if self.usage not in (DANE_TA, DANE_EE) or self.selector not in (0, 1):
            return False
        return self.matching == 0 or len(self.data) == _LENGTHS.get(self.matching)


def read_tlsa(text: str) -> Tlsa | None:
    """The text of a record: "3 1 1 0a1b…". None when it makes no sense."""
    words = text.split(None, 3)
    try:
        usage, selector, matching = (int(word) for word in words[:3])
        return Tlsa(usage, selector, matching, bytes.fromhex(words[3].replace(" ", "")))
    except (ValueError, IndexError):
        return None


@lru_cache(maxsize=1)
def system_roots() -> crypto.X509Store:
    """The authorities of this machine: some 50 ms, so for the first time in a thread."""
    from OpenSSL.SSL import TLS_CLIENT_METHOD, Context

    context = Context(TLS_CLIENT_METHOD)
    context.set_default_verify_paths()
    store = context.get_cert_store()
    assert store is not None
    return store


def by_authorities(connection: Connection, host: str, roots: crypto.X509Store | None = None) -> Fault | None:
    """Somebody known vouches for a certificate of that name (RFC 8461 section 4.2)."""
    return _vouched(connection, host, system_roots() if roots is None else roots)


def by_dane(connection: Connection, names: tuple[str, ...], records: tuple[Tlsa, ...]) -> Fault | None:
    """One usable record matches (RFC 7672 section 3). `names`: of the host, and of the domain the mail is for."""
    leaf = connection.get_peer_certificate(as_cryptography=True)
    if leaf is None:
        return Fault("validation-failure", "it has no certificate")
    if any(one.usage == DANE_EE and _matches(one, leaf) for one in records if one.usable):
        return None  # section 3.1.1: neither names nor dates count
    fault = Fault("validation-failure", "its certificate matches no TLSA record")
    for authority in connection.get_peer_cert_chain(as_cryptography=True) or ():
        if any(one.usage == DANE_TA and _matches(one, authority) for one in records if one.usable):
            store = crypto.X509Store()
            store.add_cert(crypto.X509.from_cryptography(authority))
            store.set_flags(crypto.X509StoreFlags.PARTIAL_CHAIN)
            for name in names:
                found = _vouched(connection, name, store)
                if found is None:
                    return None
                fault = found
    return fault


def _matches(record: Tlsa, certificate: "Certificate") -> bool:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    if record.selector == 0:
        octets = certificate.public_bytes(Encoding.DER)
    else:
        octets = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return record.data == {0: lambda: octets, 1: sha256(octets).digest, 2: sha512(octets).digest}[record.matching]()


def _vouched(connection: Connection, host: str, store: crypto.X509Store) -> Fault | None:
    from service_identity import CertificateError, VerificationError
    from service_identity.pyopenssl import verify_hostname

    leaf = connection.get_peer_certificate()
    if leaf is None:
        return Fault("certificate-not-trusted", "it has no certificate")
    chain: list[Any] = connection.get_peer_cert_chain() or []
    try:
        crypto.X509StoreContext(store, leaf, chain[1:]).verify_certificate()
    except crypto.X509StoreContextError as error:
        word = "certificate-expired" if "expired" in str(error) else "certificate-not-trusted"
        return Fault(word, f"nobody we trust vouches for its certificate: {error}")
    try:
        verify_hostname(connection, host)
    except (VerificationError, CertificateError, ValueError):
        return Fault("certificate-host-mismatch", f"its certificate is not for {host}")
    return None
