"""Floor 8: callers of many runs: the range test of learning rates, and the search for a better config."""
