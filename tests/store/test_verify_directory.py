"""What `verify` says of folders that nobody owns."""

import os

from emailgency.store import layout
from emailgency.store.verify_directory import verify_directory


def test_mail_of_the_operator_belongs_to_somebody_and_that_of_a_stranger_to_nobody(tmp_path) -> None:
    for customer in ("operator", "stranger"):
        os.makedirs(tmp_path / layout.undelivered(customer))
    os.makedirs(tmp_path / "journal")
    findings = list(verify_directory(str(tmp_path), None))
    assert [finding.path for finding in findings] == ["customers/stranger"]
