"""Floor 2: where text comes from, how bytes become normalised text, and how text becomes symbols and back."""
