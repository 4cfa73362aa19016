"""A day's TLS report for one domain: JSON (RFC 8460 section 4), packed, and the mail that brings it (section 5.3)."""

import gzip
from base64 import encodebytes
from email.utils import formatdate
from time import gmtime, strftime

import msgspec
from msgspec import Struct

from emailgency.codec import tag_list
from emailgency.codec.address import parse, wire
from emailgency.codec.tag_list import Malformed
from emailgency.model.errors import Invalid
from emailgency.model.tls_tally import Tally

DAY = 86_400
ADDRESSES = 2  # that get a report; the others of a record are not asked for


class Report(Struct, frozen=True, kw_only=True):
    """`day`: seconds since the epoch of its begin; `id` is unique; `name` is ours."""

    domain: str
    name: str
    id: str
    day: int
    tallies: tuple[Tally, ...]


def recipients(records: tuple[str, ...]) -> tuple[str, ...]:
    """Addresses in the record at `_smtp._tls.<domain>` (section 3) in wire form; of https: nobody is told."""
    found = [one for one in records if one.startswith("v=TLSRPTv1") and len(one) < 2048]
    if len(found) != 1:
        return ()
    try:
        tags = tag_list.parse(found[0])
    except Malformed:
        return ()
    addresses: list[str] = []
    for place in tags.get("rua", "").split(","):
        kind, _, address = place.strip().partition(":")
        if kind.lower() == "mailto" and len(addresses) < ADDRESSES:
            try:
                addresses.append(wire(parse(address)))
            except Invalid:
                continue
    return tuple(addresses)


def json(report: Report) -> bytes:
    whole = {
        "organization-name": report.name,
        "date-range": {"start-datetime": _time(report.day), "end-datetime": _time(report.day + DAY - 1)},
        "contact-info": f"postmaster@{report.name}",
        "report-id": report.id,
        "policies": [_policy(report.domain, tally) for tally in report.tallies],
    }
    return msgspec.json.encode(whole)


def _policy(domain: str, tally: Tally) -> dict[str, object]:
    policy: dict[str, object] = {"policy-type": tally.kind, "policy-domain": domain}
    lines = [line.strip() for line in tally.text.splitlines() if line.strip()]
    if lines:
        policy["policy-string"] = lines
    if hosts := [line.partition(":")[2].strip() for line in lines if line.lower().startswith("mx:")]:
        policy["mx-host"] = hosts
    details = [
        {
            "result-type": failed.word,
            "receiving-mx-hostname": failed.host,
            "receiving-ip": failed.ip,
            "failed-session-count": count,
        }
        for failed, count in tally.failures.items()
    ]
    summary = {
        "total-successful-session-count": tally.successes,
        "total-failure-session-count": sum(tally.failures.values()),
    }
    return {"policy": policy, "summary": summary} | ({"failure-details": details} if details else {})


def mail(report: Report, recipient: str, at: float) -> bytes:
    """The whole message. It may pass over broken TLS, which it is about (section 3)."""
    file = f"{report.name}!{report.domain}!{report.day}!{report.day + DAY - 1}!{report.id}.json.gz"
    boundary = f"report-{report.id}"
    packed = encodebytes(gzip.compress(json(report), mtime=0)).replace(b"\n", b"\r\n")
    head = (
        f"From: TLS reports <postmaster@{report.name}>\r\nTo: <{recipient}>\r\nDate: {formatdate(at)}\r\n"
        f"Message-ID: <{report.id}@{report.name}>\r\n"
        f"Subject: Report Domain: {report.domain} Submitter: {report.name} Report-ID: <{report.id}@{report.name}>\r\n"
        f"TLS-Report-Domain: {report.domain}\r\nTLS-Report-Submitter: {report.name}\r\nTLS-Required: No\r\n"
        f"Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
        f'Content-Type: multipart/report; report-type="tlsrpt";\r\n\tboundary="{boundary}"\r\n\r\n'
        f"--{boundary}\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n"
        f"How mail from {report.name} to {report.domain} fared under TLS on {_time(report.day)[:10]}.\r\n\r\n"
        f"--{boundary}\r\nContent-Type: application/tlsrpt+gzip\r\nContent-Transfer-Encoding: base64\r\n"
        f'Content-Disposition: attachment;\r\n\tfilename="{file}"\r\n\r\n'
    )
    return head.encode("ascii") + packed + f"--{boundary}--\r\n".encode("ascii")


def _time(seconds: int) -> str:
    return strftime("%Y-%m-%dT%H:%M:%SZ", gmtime(seconds))
