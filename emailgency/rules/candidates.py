"""How long an unknown address stays a candidate (product row A4)."""

DAY = 86_400.0
LIFETIME = 30  # days after its last mail


def too_old(last_at: float, now: float, protected: bool) -> bool:
    """`last_at`: its last mail, 0 when there is none left; `protected`: mail is pending, or an incident is open."""
    return not protected and now - last_at > LIFETIME * DAY
