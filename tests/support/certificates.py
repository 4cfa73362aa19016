"""Certificates that nobody vouches for, or somebody made for the test."""

import subprocess


def self_signed(name: str, key: str, certificate: str) -> None:
    """Write a key and its certificate for `name` as PEM to these paths."""
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    files = ["-subj", f"/CN={name}", "-keyout", key, "-out", certificate]
    subprocess.run([*words, *files], check=True, capture_output=True)


def authority(path: str) -> None:
    """Somebody who vouches for others: `path` is made with certificate and key, and `path`.crt with the first alone."""
    self_signed("Authority", f"{path}.key", f"{path}.crt")
    _together(path, f"{path}.crt", f"{path}.key")


def signed(name: str, authority: str, path: str) -> str:
    """A PEM file with a certificate for `name` that the authority vouches for, and its key."""
    key, certificate = f"{path}.key", f"{path}.crt"
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    names = ["-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}", "-addext", "basicConstraints=CA:FALSE"]
    files = ["-CA", authority, "-CAkey", authority, "-keyout", key, "-out", certificate]
    subprocess.run([*words, *names, *files], check=True, capture_output=True)
    _together(path, certificate, key)
    return path


def _together(path: str, *parts: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        for part in parts:
            with open(part, encoding="ascii") as one:
                file.write(one.read())
