"""Why others can believe what comes from us, and what keeps it from other eyes on its way."""
