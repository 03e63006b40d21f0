"""Floor 1: files that appear complete or not at all, digests, and the lock of a folder."""
