"""Parts put together into what the program wakes up: one file a capability, called by `app`."""
