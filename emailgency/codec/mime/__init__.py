"""A bounded reader of messages: headers, ENVELOPE, BODYSTRUCTURE (RFC 5322, RFC 2045)."""
