"""What a password must be (row B1), beyond which nothing is asked: long ones are welcome, whatever they are made of."""

SHORTEST = 8  # characters
LONGEST = 1024  # octets; a bound on what is hashed, not on people


def password_fault(password: str) -> str | None:
    """Words for the person who chose it, or None when it is good."""
    if len(password) < SHORTEST:
        return f"a password has at least {SHORTEST} characters"
    if len(password.encode("utf-8", "surrogatepass")) > LONGEST:
        return f"a password has at most {LONGEST} octets"
    if "\x00" in password:
        return "a password contains no NUL character"  # SASL PLAIN separates by it, RFC 4616
    kinds = {_kind(character) for character in password}
    if len(kinds) < 2:
        return "a password has at least two of: lowercase letters, uppercase letters, digits, punctuation"
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
