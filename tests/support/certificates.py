"""Certificates that nobody vouches for."""

import subprocess


def self_signed(name: str, key: str, certificate: str) -> None:
    """Write a key and its certificate for `name` as PEM to these paths."""
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    files = ["-subj", f"/CN={name}", "-keyout", key, "-out", certificate]
    subprocess.run([*words, *files], check=True, capture_output=True)
