"""Floor 11: one file per command: parse, call one function, print. What a command needs is imported inside it."""
