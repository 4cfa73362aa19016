"""Our certificates: chosen by the name a client asks for (SNI), swapped while the server runs, self-signed at first.

Without any in the settings one is made in the data folder, so that STARTTLS is there from the first start. A
certificate that cannot be read leaves those in use as they are (attack row 33).
"""

import datetime
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta, Struct
from twisted.internet.interfaces import IOpenSSLContextFactory, IOpenSSLServerConnectionCreator
from twisted.logger import Logger
from zope.interface import implementer

if TYPE_CHECKING:
    from cryptography.x509 import Certificate
    from OpenSSL import SSL

_SELF_SIGNED_DAYS = 3650  # nobody checks a self-signed one but by its fingerprint, which should stay
_LAST_DAYS = 21  # before the end, when we begin to warn: an ACME client renews 30 days before


class CertificateFiles(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One certificate, for the names that stand in it."""

    chain: Annotated[str, Meta(description="PEM file: the certificate, then those that signed it.")]
    key: Annotated[str, Meta(description="PEM file of its private key. Empty: it stands in `chain`.")] = ""


class TlsSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Encryption towards clients: TLS 1.2 and 1.3."""

    certificates: Annotated[
        tuple[CertificateFiles, ...],
        Meta(
            description="Written as [[tls.certificates]]. A client gets the one with the name it asks for, else the "
            "first. None: a self-signed one is made. SIGHUP reads the files again."
        ),
    ] = ()


class Unusable(Exception):
    """A certificate or its key cannot be used; the text names the file and the reason."""


@implementer(IOpenSSLServerConnectionCreator, IOpenSSLContextFactory)
class Certificates:
    """Give it to `startTLS` and to `TLSMemoryBIOFactory`; each handshake takes the certificates as they are then."""

    _log = Logger()

    def __init__(self, settings: TlsSettings, folder: str, names: tuple[str, ...], clock: Callable[[], float]) -> None:
        """`names`: those of the self-signed certificate, made in `folder`. Nothing is loaded before the first use."""
        self._settings = settings
        self._folder = folder
        self._names = names
        self._clock = clock
        self._contexts: dict[str, SSL.Context] = {}  # by name; "" is the default
        self.expire_at: dict[str, float] = {}  # chain file -> seconds since the epoch

    def load(self, settings: TlsSettings | None = None) -> None:
        """Read the files (again); raises Unusable and then keeps what it had."""
        chosen = settings or self._settings
        files = chosen.certificates or (self._self_signed(),)
        contexts: dict[str, SSL.Context] = {}
        expire_at = {}
        for one in files:
            certificate, context = _context(one) if chosen.certificates else self._own(one)
            for name in ("", *_names(certificate)):
                contexts.setdefault(name, context)
            expire_at[one.chain] = certificate.not_valid_after_utc.timestamp()
        for context in contexts.values():
            context.set_tlsext_servername_callback(self._choose)
        self._settings, self._contexts, self.expire_at = chosen, contexts, expire_at
        self.warn()

    def warn(self) -> None:
        """Say which certificates end soon."""
        for path, end in self.expire_at.items():
            days = (end - self._clock()) / 86400
            if days < _LAST_DAYS:
                self._log.warn("certificate {path} ends in {days:.0f} days", path=path, days=days)

    def getContext(self) -> "SSL.Context":
        """The default one; it gives way to another when the client's hello names one of ours."""
        if not self._contexts:
            self.load()
        return self._contexts[""]

    def serverConnectionForTLS(self, tlsProtocol: Any) -> "SSL.Connection":
        from OpenSSL import SSL

        return SSL.Connection(self.getContext(), None)

    def _choose(self, connection: "SSL.Connection") -> None:
        name = (connection.get_servername() or b"").decode("ascii", "replace").lower()
        context = self._contexts.get(name) or self._contexts.get(f"*.{name.partition('.')[2]}")
        if context is not None:
            connection.set_context(context)

    def _own(self, files: CertificateFiles) -> "tuple[Certificate, SSL.Context]":
        """The self-signed one, made anew when its file is damaged: no mail waits until somebody looks at it."""
        try:
            return _context(files)
        except Unusable as error:
            self._log.error("ALERT another self-signed certificate takes its place: {error}", error=str(error))
            os.rename(files.chain, files.chain + ".broken")
            return _context(self._self_signed())

    def _self_signed(self) -> CertificateFiles:
        path = os.path.join(self._folder, "self-signed.pem")
        if not os.path.exists(path):
            os.makedirs(self._folder, mode=0o700, exist_ok=True)
            temporary = path + ".tmp"
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(self_signed(self._names, self._clock()))
                file.flush()
                os.fsync(file.fileno())
            os.rename(temporary, path)
        return CertificateFiles(chain=path)


def self_signed(names: tuple[str, ...], now: float) -> bytes:
    """PEM of a certificate for `names` (the first is its subject) and of its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    # RFC 5280 appendix A.1: a common name has at most 64 characters; the names that count stand beside it.
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, names[0][:64])])
    begin = datetime.datetime.fromtimestamp(now, datetime.UTC) - datetime.timedelta(days=1)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + datetime.timedelta(days=_SELF_SIGNED_DAYS))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in dict.fromkeys(names)]), False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain = serialization.NoEncryption()
    return certificate.public_bytes(pem) + key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)


def _context(files: CertificateFiles) -> "tuple[Certificate, SSL.Context]":
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
    from OpenSSL import SSL
    from twisted.internet.ssl import CertificateOptions

    try:
        with open(files.chain, "rb") as file:
            octets = file.read()
        chain = x509.load_pem_x509_certificates(octets)
        if files.key:
            with open(files.key, "rb") as file:
                octets = file.read()
        key = load_pem_private_key(octets, None)
        options = CertificateOptions(
            privateKey=key,  # type: ignore[arg-type]  # pyOpenSSL 24.3 wants cryptography's own, Twisted's types do not know
            certificate=chain[0],  # type: ignore[arg-type]
            extraCertChain=chain[1:],  # type: ignore[arg-type]
        )
        context = options.getContext()
        context.check_privatekey()
    except OSError as error:
        raise Unusable(f"{error.filename}: {error.strerror}") from None
    except (ValueError, TypeError, SSL.Error) as error:
        raise Unusable(f"{files.chain}: {error or type(error).__name__}") from None
    context.set_options(SSL.OP_NO_RENEGOTIATION)
    return chain[0], context


def _names(certificate: "Certificate") -> list[str]:
    """The DNS names it is for, lower case; a wildcard as it stands ("*.zz")."""
    from cryptography import x509

    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [name.lower() for name in names.get_values_for_type(x509.DNSName)]
