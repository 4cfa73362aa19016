"""Our certificates: by name, swapped while connections go on, and never lost to a bad file."""

import contextlib
import os
import ssl
import subprocess
from collections.abc import Callable

import pytest
from OpenSSL import SSL
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import StringTransport
from twisted.protocols.tls import TLSMemoryBIOFactory

from emailgency.store.keys.certificates import CertificateFiles, Certificates, TlsSettings, Unusable, self_signed

NOW = 1_800_000_000.0


def clock() -> float:
    return NOW


@pytest.fixture
def write(tmp_path) -> Callable[[str], CertificateFiles]:
    def write(*names: str) -> CertificateFiles:
        path = tmp_path / f"{names[0].replace('*', 'star')}.pem"
        path.write_bytes(self_signed(names, NOW))
        return CertificateFiles(chain=str(path))

    return write


def shown(certificates: Certificates, name: str, minimum: int = SSL.TLS1_2_VERSION) -> list[str]:
    """The names in the certificate that a client asking for `name` gets; a whole handshake in memory."""
    server = certificates.serverConnectionForTLS(None)
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(SSL.TLS1_VERSION)
    context.set_max_proto_version(minimum)
    client = SSL.Connection(context, None)
    if name:
        client.set_tlsext_host_name(name.encode())
    client.set_connect_state()
    server.set_accept_state()
    for _ in range(10):
        for one, other in ((client, server), (server, client)):
            with contextlib.suppress(SSL.WantReadError):
                one.do_handshake()
            with contextlib.suppress(SSL.WantReadError):
                other.bio_write(one.bio_read(65536))
    certificate = client.get_peer_certificate(as_cryptography=True)
    assert certificate is not None
    return [str(attribute.value) for attribute in certificate.subject]


def test_the_first_start_makes_one_that_stays(tmp_path) -> None:
    folder = str(tmp_path / "certificates")
    first = Certificates(TlsSettings(), folder, ("mx.zz", "*.zz"), clock)
    assert shown(first, "mx.zz") == ["mx.zz"]
    path = os.path.join(folder, "self-signed.pem")
    assert os.stat(path).st_mode & 0o777 == 0o600
    before = os.stat(path)
    Certificates(TlsSettings(), folder, ("mx.zz",), clock).load()
    assert os.stat(path).st_mtime_ns == before.st_mtime_ns


@pytest.mark.parametrize("octets", [b"", b"-----BEGIN CERTIFICATE-----\nnonsense"])
def test_a_damaged_self_signed_file_is_made_anew(tmp_path, octets: bytes) -> None:
    path = tmp_path / "self-signed.pem"
    path.write_bytes(octets)
    assert shown(Certificates(TlsSettings(), str(tmp_path), ("mx.zz",), clock), "mx.zz") == ["mx.zz"]
    assert (tmp_path / "self-signed.pem.broken").read_bytes() == octets


def test_a_name_longer_than_a_common_name_may_be_is_no_obstacle(tmp_path) -> None:
    name = "a" * 60 + ".mydomain.zz"
    assert shown(Certificates(TlsSettings(), str(tmp_path), (name,), clock), name)


def test_a_client_gets_the_certificate_of_the_name_it_asks_for(tmp_path, write) -> None:
    settings = TlsSettings(certificates=(write("mx.zz"), write("one.cust.zz"), write("*.cust.zz")))
    certificates = Certificates(settings, str(tmp_path), ("mx.zz",), clock)
    assert shown(certificates, "one.cust.zz") == ["one.cust.zz"]
    assert shown(certificates, "two.CUST.zz") == ["*.cust.zz"]
    assert shown(certificates, "other.example") == ["mx.zz"]
    assert shown(certificates, "") == ["mx.zz"]


def test_attack_06_tls_1_0_and_1_1_are_refused(tmp_path) -> None:
    certificates = Certificates(TlsSettings(), str(tmp_path), ("mx.zz",), clock)
    for version in (SSL.TLS1_VERSION, SSL.TLS1_1_VERSION):
        with pytest.raises(SSL.Error):
            shown(certificates, "mx.zz", version)


def test_a_reload_takes_the_new_files_and_the_factory_need_not_know(tmp_path, write) -> None:
    certificates = Certificates(TlsSettings(certificates=(write("old.zz"),)), str(tmp_path), ("mx.zz",), clock)
    assert shown(certificates, "") == ["old.zz"]
    certificates.load(TlsSettings(certificates=(write("new.zz"),)))
    assert shown(certificates, "") == ["new.zz"]


@pytest.mark.parametrize("octets", [b"", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", None])
def test_attack_33_a_bad_file_leaves_the_old_certificate(tmp_path, write, octets: bytes | None) -> None:
    certificates = Certificates(TlsSettings(certificates=(write("old.zz"),)), str(tmp_path), ("mx.zz",), clock)
    certificates.load()
    bad = tmp_path / "bad.pem"
    if octets is not None:
        bad.write_bytes(octets)
    with pytest.raises(Unusable, match=r"bad\.pem"):
        certificates.load(TlsSettings(certificates=(CertificateFiles(chain=str(bad)),)))
    assert shown(certificates, "") == ["old.zz"]


def test_attack_33_a_key_of_another_certificate_is_refused(tmp_path, write) -> None:
    files = CertificateFiles(chain=write("one.zz").chain, key=write("two.zz").chain)
    with pytest.raises(Unusable):
        Certificates(TlsSettings(certificates=(files,)), str(tmp_path), ("mx.zz",), clock).load()


def test_the_end_of_a_certificate_is_known(tmp_path, write) -> None:
    files = write("one.zz")
    certificates = Certificates(TlsSettings(certificates=(files,)), str(tmp_path), ("mx.zz",), clock)
    certificates.load()
    assert certificates.expire_at[files.chain] > NOW + 3000 * 86400


@pytest.mark.peer("openssl")
def test_openssl_reads_what_we_make(tmp_path) -> None:
    path = tmp_path / "made.pem"
    path.write_bytes(self_signed(("mx.zz", "*.zz"), NOW))
    words = ["openssl", "x509", "-in", str(path), "-noout", "-ext", "subjectAltName"]
    told = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert "DNS:mx.zz, DNS:*.zz" in told


def test_it_serves_a_twisted_factory(tmp_path) -> None:
    certificates = Certificates(TlsSettings(), str(tmp_path), ("mx.zz",), clock)
    protocol = TLSMemoryBIOFactory(certificates, False, Factory.forProtocol(Protocol)).buildProtocol(None)
    transport = StringTransport()
    protocol.makeConnection(transport)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    client = context.wrap_bio(incoming, outgoing)
    for _ in range(4):
        try:
            client.do_handshake()
            break
        except ssl.SSLWantReadError:
            protocol.dataReceived(outgoing.read())
            incoming.write(transport.value())
            transport.clear()
    assert client.version() == "TLSv1.3"
