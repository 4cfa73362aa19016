"""Messages of every shape we could think of, by name; LF here, CRLF in `MESSAGES`."""

_PLAIN = "From: Anna <anna@example.net>\nTo: bob@example.org\nSubject: hello\nDate: Thu, 1 Jan 2026 12:00:00 +0000\n"


def _header(*lines: str) -> str:
    return "\n".join(lines) + "\n\nbody\n"


def _typed(content_type: str, body: str = "body\n", *more: str) -> str:
    return _PLAIN + "MIME-Version: 1.0\n" + "".join(f"{line}\n" for line in (content_type, *more)) + "\n" + body


def _plain_typed(*more: str) -> str:
    return _typed("Content-Type: text/plain", "b\n", *more)


def _mixed(body: str, boundary: str = "b", subtype: str = "mixed", parameters: str = "") -> str:
    return _typed(f'Content-Type: multipart/{subtype}; boundary="{boundary}"{parameters}', body)


def _nested(depth: int) -> str:
    text = "Content-Type: text/plain\n\ninnermost\n"
    for level in range(depth):
        text = (
            f'Content-Type: multipart/mixed; boundary="level{level}x"\n\n--level{level}x\n{text}\n--level{level}x--\n'
        )
    return _PLAIN + text


def _attached(depth: int) -> str:
    text = "Subject: innermost\n\nend\n"
    for level in range(depth):
        text = f"Subject: level {level}\nContent-Type: message/rfc822\n\n{text}"
    return _PLAIN + text


_ALTERNATIVE = (
    "preamble\n--b\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n"
    'Gr=C3=BC=C3=9Fe\n--b\nContent-Type: text/html; charset="utf-8"\nContent-Transfer-Encoding: base64\n'
    "Content-ID: <part2@x>\nContent-Description: the page\n\nPGI+\nPC9iPg==\n--b--\nepilogue\n"
)

HEADERS = {
    "no header at all": "\njust a body\n",
    "nothing": "",
    "header only": "Subject: x\n",
    "header without end": "Subject: x",
    "only a newline": "\n",
    "plain": _PLAIN + "\nbody\n",
    "all fields": _header(
        "Date: Fri, 2 Jan 2026 01:02:03 +0100 (CET)", "Subject: s", "From: f@x", "Sender: s@x", "Reply-To: r@x",
        "To: t@x", "Cc: c@x", "Bcc: b@x", "In-Reply-To: <i@x>", "Message-ID: <m@x>",
    ),
    "empty fields": _header("Date:", "Subject:", "From:", "Sender:", "Reply-To:", "To:", "Cc:", "Message-ID:"),
    "blank fields": _header("Date:  ", "Subject: \t ", "From: ", "To:   "),
    "sender defaults": _header("From: a@x, b@x"),
    "sender given": _header("From: a@x", "Sender: z@x"),
    "no from": _header("To: a@x"),
    "folded subject": _header("Subject: one", " two", "\tthree", "   four"),
    "folded at once": _header("Subject:", " two"),
    "folded to blank": _header("Subject: one", " ", " two"),
    "folded addresses": _header("To: a@x,", "\tb@x ,", " \"c, d\" <e@x>"),
    "trailing spaces": _header("Subject: one  ", "Message-ID:   <a@b>  "),
    "encoded words": _header("Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=", "From: =?utf-8?q?J=C3=BCrgen?= <j@x>"),
    "twice": _header(
        "Subject: first", "Subject: second", "To: a@x", "To: b@x", "Date: 1", "Date: 2", "From: a@x",
        "From: b@x",
    ),
    "message ids twice": _header("Message-ID: <a@x>", "Message-ID: <b@x>", "In-Reply-To: <c@x>", "In-Reply-To: <d@x>"),
    "case of names": _header("SUBJECT: a", "fRoM: b@x", "tO: c@x"),
    "space before colon": _header("Subject : a", "From\t: b@x"),
    "no space after colon": _header("Subject:a", "From:b@x"),
    "line without colon": _header("Subject: a", "nonsense line", "From: b@x"),
    "line without colon first": _header("nonsense", "From: b@x"),
    "mbox line first": _header("From someone Thu Jan  1 00:00:00 2026", "Subject: a"),
    "mbox line escaped": _header(">From someone Thu Jan  1", "Subject: a"),
    "continuation first": _header(" continued", "Subject: a"),
    "colon first": _header(": a", "Subject: b"),
    "8-bit subject": _header("Subject: Gr\xfc\xdfe"),
    "8-bit from": _header("From: J\xfcrgen <j@x>"),
    "8-bit in quotes": _header('From: "J\xfcrgen" <j@x>'),
    "NUL in subject": _header("Subject: a\0b", "From: a\0b@x"),
    "controls in subject": _header("Subject: a\x01\x7f\x1bb"),
    "quotes in subject": _header('Subject: say "hi" \\ there'),
    "long subject": _header("Subject: " + "x" * 2000),
    "no newline at the end": _PLAIN + "\nbody",
    "empty body": _PLAIN + "\n",
    "body with blank lines": _PLAIN + "\n\n\na\n\n",
    "8-bit body": _PLAIN + "\n\xe4\xf6\n",
    "NUL in body": _PLAIN + "\na\0b\n",
}  # fmt: skip

ADDRESSES = {
    name: _header(f"To: {value}")
    for name, value in {
        "bare": "a@b.c",
        "angle": "<a@b.c>",
        "name": "Anna B. Cee <a@b.c>",
        "quoted name": '"Anna, B" <a@b.c>',
        "quoted name with escapes": r'"An\"na \\ B" <a@b.c>',
        "quoted and bare words": 'Anna "the \\"one\\"" B <a@b.c>',
        "several": "a@b, <c@d>, E <e@f>",
        "comment after": "a@b.c (Anna Bee)",
        "comment before": "(Anna) a@b.c",
        "comment inside": "Anna (the one) Bee <a@b.c>",
        "comment in address": "a(x)@(y)b(z).c",
        "nested comment": "a@b (one (two) three)",
        "comment and angle": "<a@b> (Anna)",
        "comment and name": "Anna <a@b> (Bee)",
        "unclosed comment": "a@b (Anna",
        "group": "friends: a@b, C <c@d>;",
        "group empty": "undisclosed-recipients:;",
        "group empty with space": "undisclosed-recipients: ;",
        "group then address": "g: a@b; , c@d",
        "group without semicolon": "g: a@b",
        "group unclosed empty": "undisclosed-recipients:",
        "two groups": "g: a@b;, h: c@d;",
        "group quoted name": '"a, b": c@d;',
        "route": "<@a,@b:c@d>",
        "route with name": "Anna <@a.x:c@d>",
        "quoted local part": '"a b"@c',
        "quoted local part in angle": '<"a b"@c>',
        "quoted local part special": r'"a\"@b"@c',
        "dot in local part": "a.b.c@d",
        "spaces around dots": "a . b @ c . d",
        "domain literal": "a@[192.0.2.1]",
        "domain literal with spaces": "a@[ 192.0.2.1 ]",
        "no domain": "anna",
        "no domain in angle": "<anna>",
        "name and no domain": "Anna <anna>",
        "empty angle": "<>",
        "name and empty angle": "Mailer <>",
        "double at": "a@b@c",
        "double at in angle": "<a@b@c>",
        "missing comma": "a@b c@d",
        "missing comma in angles": "<a@b> <c@d>",
        "extra commas": ",a@b,,c@d,",
        "semicolons": "a@b; c@d",
        "unclosed angle": "Anna <a@b",
        "unclosed quote": '"Anna <a@b>',
        "text after angle": "Anna <a@b> Bee",
        "at in name": "a@b <a@b>",
        "at in quoted name": '"a@b" <a@b>',
        "dot in name": "J. R. R. Tolkien <t@x>",
        "trailing dot": "a@b.",
        "dots in a row": "a..b@c",
        "dot first": ".a@c",
        "dot last": "a.@c",
        "only at": "@",
        "only domain": "@b.c",
        "only local": "a@",
        "local only in angle": "<a@>",
        "domain only in angle": "<@b>",
        "colon in name": "a:b <c@d>",
        "apostrophe": "'anna@b' <anna@b>",
        "unquoted brackets": "Anna [x] <a@b>",
        "8-bit local": "\xe4@b",
        "encoded name": "=?utf-8?q?J=C3=BC?= <j@x>",
        "encoded in quotes": '"=?utf-8?q?J=C3=BC?=" <j@x>',
        "tabs": "Anna\tBee <a@b>",
        "many spaces": "Anna    Bee   <a@b>",
        "spaces in angle": "Anna < a@b >",
        "percent": "a%b@c",
        "slashes": "/G=x/S=y/@z",
        "long": ", ".join(f"user{n}@example.net" for n in range(60)),
    }.items()
}

STRUCTURES = {
    "text html": _typed("Content-Type: text/html; charset=iso-8859-1"),
    "type only": _typed("Content-Type: text"),
    "type with slash": _typed("Content-Type: text/"),
    "type empty": _typed("Content-Type:"),
    "type nonsense": _typed("Content-Type: ;;;"),
    "type with spaces": _typed("Content-Type: text / html ; charset = x"),
    "type capitals": _typed("Content-Type: TEXT/Html; CHARSET=UTF-8"),
    "type comment": _typed("Content-Type: text/plain (or so); charset=utf-8 (yes)"),
    "type unknown": _typed("Content-Type: foo/bar; x=y"),
    "parameter quoted": _typed('Content-Type: text/plain; name="a b;c"; charset=utf-8'),
    "parameter escapes": _typed(r'Content-Type: text/plain; name="a\"b\\c"'),
    "parameter unclosed": _typed('Content-Type: text/plain; name="a b'),
    "parameter without value": _typed("Content-Type: text/plain; name; charset=utf-8"),
    "parameter empty": _typed('Content-Type: text/plain; name=""; charset='),
    "parameter with specials": _typed("Content-Type: application/pdf; name=a b.pdf; x=1/2"),
    "parameter missing semicolon": _typed("Content-Type: text/plain charset=utf-8"),
    "parameter twice": _typed("Content-Type: text/plain; charset=a; charset=b"),
    "parameter folded": _typed('Content-Type: application/x;\n\tname="one\n two";\n y=z'),
    "parameter 8-bit": _typed('Content-Type: application/x; name="gr\xfcn.txt"'),
    "parameter trailing semicolon": _typed("Content-Type: text/plain; charset=utf-8;"),
    "parameter RFC 2231": _typed("Content-Type: application/x; name*=utf-8'en'%e2%82%ac.txt"),
    "parameter continued": _typed('Content-Type: application/x; name*0="long "; name*1="name.txt"'),
    "parameter continued and encoded": _typed("Content-Type: application/x; name*0*=utf-8''a%20; name*1*=b; name*2=c"),
    "parameter encoded word": _typed('Content-Type: application/x; name="=?utf-8?q?gr=C3=BCn?="'),
    "charset missing": _typed("Content-Type: text/plain; format=flowed"),
    "charset missing in html": _typed("Content-Type: text/html"),
    "encodings": _typed("Content-Type: text/plain", "body\n", "Content-Transfer-Encoding: QUOTED-Printable"),
    "encoding comment": _typed("Content-Type: text/plain", "body\n", "Content-Transfer-Encoding: 8bit (really)"),
    "encoding unknown": _typed("Content-Type: text/plain", "body\n", "Content-Transfer-Encoding: x-foo"),
    "encoding empty": _typed("Content-Type: text/plain", "body\n", "Content-Transfer-Encoding:"),
    "disposition": _plain_typed('Content-Disposition: attachment; filename="a.txt"; size=2'),
    "disposition bare": _plain_typed("Content-Disposition: INLINE"),
    "disposition RFC 2231": _plain_typed("Content-Disposition: attachment; filename*=utf-8''%e4.txt"),
    "disposition nonsense": _plain_typed("Content-Disposition: ; x"),
    "language": _plain_typed("Content-Language: en"),
    "languages": _plain_typed("Content-Language: en, de , fr"),
    "language empty": _plain_typed("Content-Language:"),
    "location": _plain_typed("Content-Location: http://x/ y"),
    "md5": _plain_typed("Content-MD5: Q2hlY2sgSW50ZWdyaXR5IQ=="),
    "id and description": _plain_typed("Content-ID: <a@b>", "Content-Description: the =?utf-8?q?x?="),
    "fields twice": _plain_typed("Content-Type: text/html", "Content-ID: 1", "Content-ID: 2"),
    "no MIME-Version": _PLAIN + "Content-Type: text/html\n\nbody\n",
    "alternative": _mixed(_ALTERNATIVE, subtype="alternative"),
    "multipart parameters": _mixed(_ALTERNATIVE, subtype="related", parameters='; type="text/html"; start="<a@b>"'),
    "multipart extension data": _typed(
        "Content-Type: multipart/mixed; boundary=b", _ALTERNATIVE,
        "Content-Disposition: inline", "Content-Language: en", "Content-Location: x",
    ),
    "multipart of one": _mixed("--b\n\nhello\n--b--\n"),
    "multipart empty header": _mixed("--b\n\nhello\n--b\n\nworld\n--b--\n"),
    "multipart no body in part": _mixed("--b\nContent-Type: text/html\n--b\n\nx\n--b--\n"),
    "multipart header only": _mixed("--b\nContent-Type: text/html\n\n--b--\n"),
    "multipart empty part": _mixed("--b\n\n--b--\n"),
    "multipart part without header": _mixed("--b\n--b--\n"),
    "multipart never begins": _mixed("no boundary here\n"),
    "multipart empty": _mixed(""),
    "multipart never ends": _mixed("--b\n\none\n--b\n\ntwo\n"),
    "multipart ends at once": _mixed("--b--\n"),
    "multipart truncated in header": _mixed("--b\nContent-Type: text/ht"),
    "multipart truncated after boundary": _mixed("--b\n\none\n--b"),
    "multipart no boundary parameter": _typed("Content-Type: multipart/mixed", "--b\n\nx\n--b--\n"),
    "multipart empty boundary": _typed('Content-Type: multipart/mixed; boundary=""', "--\n\nx\n----\n"),
    "multipart boundary with spaces": _mixed("--a b\n\nx\n--a b--\n", boundary="a b"),
    "multipart boundary trailing white space": _mixed("--b  \n\nx\n--b-- \n"),
    "multipart boundary longer line": _mixed("--b\n\nx\n--bcd\n\ny\n--b--\n"),
    "multipart boundary in quotes of text": _mixed("--b\n\n> --b\n --b\n--b--\n"),
    "multipart after the end": _mixed("--b\n\nx\n--b--\n--b\n\ny\n--b--\n"),
    "multipart blank lines": _mixed("\n\n--b\n\n\nx\n\n\n--b--\n\n"),
    "multipart inner prefix": _mixed(
        '--b\nContent-Type: multipart/mixed; boundary="bc"\n\n--bc\n\nx\n--bc--\n--b\n\ny\n--b--\n'
    ),
    "multipart outer prefix": _mixed(
        '--bc\nContent-Type: multipart/mixed; boundary="b"\n\n--b\n\nx\n--b--\n--bc\n\ny\n--bc--\n', boundary="bc"
    ),
    "multipart same boundary": _mixed(
        '--b\nContent-Type: multipart/mixed; boundary="b"\n\n--b\n\nx\n--b--\n--b\n\ny\n--b--\n'
    ),
    "multipart nested": _mixed(
        '--b\nContent-Type: multipart/alternative; boundary="c"\n\n--c\n\nx\n--c\nContent-Type: text/html\n\ny\n--c--\n'
        "\n--b\nContent-Type: application/pdf; name=a.pdf\nContent-Transfer-Encoding: base64\n"
        "Content-Disposition: attachment; filename=a.pdf\n\nAAAA\n--b--\n"
    ),
    "multipart nested not closed": _mixed(
        '--b\nContent-Type: multipart/alternative; boundary="c"\n\n--c\n\nx\n--b\n\ny\n--b--\n'
    ),
    "multipart digest": _mixed(
        "--b\n\nSubject: one\n\nx\n--b\nContent-Type: text/plain\n\ny\n--b--\n", subtype="digest"
    ),
    "multipart signed": _mixed(
        "--b\nContent-Type: text/plain\n\nx\n--b\nContent-Type: application/pgp-signature\n\nsig\n--b--\n",
        subtype="signed", parameters='; micalg=pgp-sha256; protocol="application/pgp-signature"',
    ),
    "multipart report": _mixed(
        "--b\n\nfailed\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; x\n\nAction: failed\n\n"
        "--b\nContent-Type: message/rfc822\n\nSubject: original\nFrom: o@x\n\nlost\n--b--\n",
        subtype="report", parameters="; report-type=delivery-status",
    ),
    "multipart rfc822-headers": _mixed(
        "--b\nContent-Type: text/rfc822-headers\n\nSubject: x\n--b--\n", subtype="report"
    ),
    "message": _typed("Content-Type: message/rfc822", "From: a@b\nSubject: inner\n\ninner body\n"),
    "message with multipart": _typed(
        "Content-Type: message/rfc822",
        "From: a@b\nSubject: inner\nContent-Type: multipart/mixed; boundary=z\n\n--z\n\nx\n--z--\n",
    ),
    "message in multipart": _mixed(
        "--b\nContent-Type: message/rfc822\nContent-Description: fw\n\nFrom: a@b\nTo: c@d\n"
        "Content-Type: multipart/alternative; boundary=q\n\n--q\n\nx\n--q--\n\n--b\n\ny\n--b--\n"
    ),
    "message empty": _typed("Content-Type: message/rfc822", ""),
    "message cut by boundary": _mixed("--b\nContent-Type: message/rfc822\n\nSubject: cut\n--b--\n"),
    "message base64": _typed("Content-Type: message/rfc822", "U3ViamVjdDogeA==\n", "Content-Transfer-Encoding: base64"),
    "message partial": _typed("Content-Type: message/partial; id=1; number=1", "Subject: x\n\ny\n"),
    "message global": _typed("Content-Type: message/global", "Subject: x\n\ny\n"),
    "nested 10": _nested(10),
    "attached 10": _attached(10),
    "parts 50": _mixed("".join(f"--b\nContent-Type: text/plain\n\npart {n}\n" for n in range(50)) + "--b--\n"),
    "boundary line in header": _mixed("--b\nContent-Type: text/plain;\n--b\n\nx\n--b--\n"),
    "preamble looks like a part": _mixed("Content-Type: text/html\n\n--b\n\nx\n--b--\n"),
    "dashes": _mixed("--\n-- \n---\n--b\n\n-- \nsig\n--\n--b--\n"),
}  # fmt: skip

BROKEN = {
    "charset nobody knows": _typed("Content-Type: text/plain; charset=x-klingon", "qapla\n"),
    "charset with 8-bit": _typed("Content-Type: text/plain; charset=utf\xfc8", "b\n"),
    "charset that lies": _typed("Content-Type: text/plain; charset=utf-8", "\xff\xfe\xfc\n"),
    "charset of utf-16": _typed("Content-Type: text/plain; charset=utf-16", "\xff\xfea\0b\0\n"),
    "charset with a language": _typed("Content-Type: text/plain; charset*=us-ascii'en'utf-8", "b\n"),
    "NUL in type": _typed("Content-Type: text/pl\0ain; charset=utf-8"),
    "NUL in file name": _typed('Content-Type: application/x; name="a\0b"'),
    "NUL in boundary": _mixed("--a\0b\n\nx\n--a\0b--\n", boundary="a\0b"),
    "NUL in part header": _mixed("--b\nContent-Type: text/html\0\nContent-ID: <a\0b>\n\nx\n--b--\n"),
    "NUL before boundary": _mixed("--b\n\nx\0\n--b--\n"),
    "8-bit boundary": _mixed("--gr\xfcn\n\nx\n--gr\xfcn--\n", boundary="gr\xfcn"),
    "8-bit field name": _header("S\xfcbject: a", "Subject: b"),
    "8-bit in disposition": _plain_typed('Content-Disposition: attachment; filename="gr\xfcn.txt"'),
    "8-bit in part header": _mixed("--b\nContent-Description: gr\xfcn\nContent-Type: text/html\n\nx\n--b--\n"),
    "boundary missing inside": _mixed(
        "--b\nContent-Type: multipart/mixed; boundary=c\n\nno line of it\n--b\n\ny\n--b--\n"
    ),
    "boundary parameter missing inside": _mixed("--b\nContent-Type: multipart/mixed\n\nx\n--b\n\ny\n--b--\n"),
    "truncated in base64": _mixed("--b\nContent-Transfer-Encoding: base64\n\nSGVsbG8sI"),
    "truncated inside": _mixed("--b\nContent-Type: multipart/mixed; boundary=c\n\n--c\n\nx"),
    "truncated in inner message": _mixed("--b\nContent-Type: message/rfc822\n\nSubject: cut\nTo: a"),
    "nested 25": _nested(25),
    "attached 25": _attached(25),
    "parts 900": _mixed("".join(f"--b\n\npart {n}\n" for n in range(900)) + "--b--\n"),
}

MESSAGES: dict[str, bytes] = {
    f"{group}: {name}": text.encode("latin-1").replace(b"\n", b"\r\n")
    for group, shapes in (("header", HEADERS), ("address", ADDRESSES), ("structure", STRUCTURES), ("broken", BROKEN))
    for name, text in shapes.items()
}

# Line ends as no RFC has them, and more than we look into.
LINE_ENDS = {
    "lines end in LF": _mixed("--b\n\nx\n--b--\n").encode(),
    "line ends mixed": _mixed("--b\r\n\nx\n--b--\r\n").encode(),
    "lines end in CR": b"Subject: a\rTo: b\r\rbody\r",
    "CR in header": b"Subject: a\rb\r\n\r\nx\r\n",
    "CR CR LF": b"Subject: a\r\r\n\r\r\nx\r\n",
}
BOMBS = {
    "parts 100,000": _mixed("--b\n\nx\n" * 100_000 + "--b--\n").encode().replace(b"\n", b"\r\n"),
    "nested 200": _nested(200).encode().replace(b"\n", b"\r\n"),
    "attached 200": _attached(200).encode().replace(b"\n", b"\r\n"),
}


def _encoded(encoding: str, body: str) -> str:
    return _PLAIN + f"Content-Transfer-Encoding: {encoding}\n\n{body}"


ENCODED = {
    f"encoded: {name}": text.encode("latin-1").replace(b"\n", b"\r\n")
    for name, text in {
        "base64": _encoded("base64", "SGVsbG8s\nIHdvcmxkIQ==\n"),
        "base64 capitals": _encoded("BASE64", "SGVsbG8sIHdvcmxkIQ==\n"),
        "base64 without padding": _encoded("base64", "SGVsbG8sIHdvcmxkIQ\n"),
        "base64 without line ends": _encoded("base64", "SGVsbG8sIHdvcmxkIQ=="),
        "base64 odd lines": _encoded("base64", "SG\nVsb\nG8sIHdv\n\ncmx\nkIQ==\n"),
        "base64 blanks": _encoded("base64", " SGVs bG8s\tIHdv \n cmxkIQ==\n"),
        "base64 text behind": _encoded("base64", "SGVsbG8=\n-- \nadded by a list\n"),
        "base64 twice": _encoded("base64", "SGVsbG8=\nSGVsbG8=\n"),
        "base64 foreign octets": _encoded("base64", "SGVs!bG8-\xffsIHdv*cmxkIQ==\n"),
        "base64 cut": _encoded("base64", "SGVsbG8sI"),
        "base64 with NUL inside": _encoded("base64", "AAECAwQ=\n"),
        "base64 empty": _encoded("base64", ""),
        "base64 comment": _encoded("base64 (so they say)", "SGVsbG8=\n"),
        "base64 twice said": _encoded("base64\nContent-Transfer-Encoding: 8bit", "SGVsbG8=\n"),
        "quoted-printable": _encoded("quoted-printable", "Gr=C3=BC=C3=9Fe =\nund =3D\n"),
        "quoted-printable small letters": _encoded("Quoted-Printable", "gr=c3=bcn\n"),
        "quoted-printable trailing blanks": _encoded("quoted-printable", "a  \nb\t\nc = \nd\n"),
        "quoted-printable malformed": _encoded("quoted-printable", "a=zz b=4 c=\n"),
        "quoted-printable equals twice": _encoded("quoted-printable", "a==41\n"),
        "quoted-printable cut": _encoded("quoted-printable", "a=4"),
        "quoted-printable ends in equals": _encoded("quoted-printable", "a="),
        "quoted-printable 8-bit": _encoded("quoted-printable", "gr\xfcn =FC\n"),
        "quoted-printable long": _encoded("quoted-printable", "x" * 3000 + "=\n" + "y" * 3000 + "\n"),
        "uuencode": _encoded("x-uuencode", "begin 644 a\n#86)C\n`\nend\n"),
        "unknown": _encoded("nonsense", "body\n"),
        "binary": _encoded("binary", "a\0b\xff\n"),
        "8bit": _encoded("8bit", "gr\xfcn\n"),
        "empty field": _encoded("", "body\n"),
        "multipart said to be base64": _PLAIN
        + "Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: base64\n\n"
        + "--b\nContent-Transfer-Encoding: base64\n\nSGVsbG8=\n--b\n\nplain\n--b--\n",
        "message said to be base64": _PLAIN
        + "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nSubject: inside\n\nSGVsbG8=\n",
    }.items()
}
