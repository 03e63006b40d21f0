"""Floor 9: a language model over HTTP on this machine: its page, and an API that draws for many clients at once."""
