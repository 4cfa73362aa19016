"""What a password must be (row B1), beyond which nothing is asked: long ones are welcome, whatever they are made of."""

from emailgency.model.words import Words

SHORTEST = 8  # characters
LONGEST = 1024  # octets; a bound on what is hashed, not on people


def password_fault(password: str) -> Words | None:
    """Words for the person who chose it, or None when it is good."""
    if len(password) < SHORTEST:
        return Words("a password has at least %(count)s characters", {"count": SHORTEST})
    if len(password.encode("utf-8", "surrogatepass")) > LONGEST:
        return Words("a password has at most %(count)s octets", {"count": LONGEST})
    if "\x00" in password:
        return Words("a password contains no NUL character")  # SASL PLAIN separates by it, RFC 4616
    kinds = {_kind(character) for character in password}
    if len(kinds) < 2:
        return Words("a password has at least two of: lowercase letters, uppercase letters, digits, punctuation")
    return None


def _kind(character: str) -> str:
    """Letters of scripts without case count as lowercase; whatever is no letter and no digit is punctuation."""
    if character.isdigit():
        return "digit"
    if character.isupper():
        return "uppercase"
    if character.isalpha():
        return "lowercase"
    return "punctuation"
