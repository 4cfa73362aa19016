"""Mail made to be searched, sorted and threaded: subjects of every kind, dates in every zone, threads that were cut."""

import random

_SUBJECTS = (
    "Invoice 42",
    "invoice 42",
    "Re: Invoice 42",
    "RE: RE: invoice 42",
    "Fwd: Invoice 42 (fwd)",
    "[list] Re: Invoice 42",
    "[fwd: Invoice 42]",
    "Re[2]: meeting",
    "meeting",
    "Fw: [team] meeting",
    "[only a blob]",
    "",
    "Re:",
    "Zebra",
    "apple",
    "Äpfel",
    "=?utf-8?q?=C3=84pfel?=",
    "=?iso-8859-1?q?=C4pfel?=",
    "=?utf-8?b?UmU6IMOEcGZlbA==?=",
    "a  b\tc",
    "straße",
    "[a] [b] Re: lunch",
    "lunch",
    "Re: [a] lunch",
    "(fwd) lunch",
    "lunch (fwd) (fwd)",
)
_PEOPLE = (
    "anna@example.net",
    "Anna <anna@example.net>",
    '"Zed, A." <zed@example.org>',
    "=?utf-8?q?J=C3=B6rg?= <joerg@example.de>",
    "BOB@example.com",
    "bob@example.com (Bobby)",
    "<carl@example.com>",
    "dora@example.com, eva@example.com",
)
_ZONES = ("+0000", "+0100", "-0800", "+0545", "GMT", "EST")
_WORDS = ("garden", "planet", "Kitchen", "library", "übermorgen", "Größe", "contract", "ticket")


def letters(count: int, seed: int, dates: bool = True) -> list[bytes]:
    """`count` messages; each sixth is no answer to anything, others answer one before, and some lost ancestors."""
    generator = random.Random(seed)
    made: list[bytes] = []
    ancestry: list[list[str]] = []
    for number in range(count):
        id = f"<{number}.{seed}@id.test>"
        references: list[str] = []
        if ancestry and number % 6:
            references = ancestry[generator.randrange(len(ancestry))]
            if generator.random() < 0.2:
                references = references[-2:]
            if generator.random() < 0.1:
                references = [f"<lost{generator.randrange(9)}.{seed}@id.test>", *references]
        ancestry.append([*references, id])
        subject = generator.choice(_SUBJECTS)
        lines = [f"From: {generator.choice(_PEOPLE)}", f"Message-ID: {id}"]
        if generator.random() < 0.9:
            lines.append(f"To: {generator.choice(_PEOPLE)}")
        if generator.random() < 0.4:
            lines.append(f"Cc: {generator.choice(_PEOPLE)}")
        if generator.random() < 0.95:
            lines.append(f"Subject: {subject}")
        day, hour = generator.randrange(1, 29), generator.randrange(24)
        lines.append(f"Date: {day:02} Jan 2026 {hour:02}:{number % 60:02}:00 {generator.choice(_ZONES)}")
        if references:
            if generator.random() < 0.8:
                lines.append("References: " + "\r\n ".join(references))
            else:
                lines.append("In-Reply-To: " + references[-1])
        lines.append("Content-Type: text/plain; charset=utf-8")
        text = " ".join(generator.choice(_WORDS) for _ in range(12))
        made.append(("\r\n".join(lines) + f"\r\n\r\n{text} {number}\r\n").encode())
    return made
