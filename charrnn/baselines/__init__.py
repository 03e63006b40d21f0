"""Floor 4: models without a network, so that every neural figure has an honest floor beside it."""
