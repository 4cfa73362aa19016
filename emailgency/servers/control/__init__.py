"""The Unix socket of the `emailgency` command: lines of JSON in and out, each routed to one flow."""
