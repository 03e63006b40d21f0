"""Floor 5: one file per thing a user can train."""
