"""Floor 8: pictures of what the records say."""
