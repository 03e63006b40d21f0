"""Floor 2: the recurrent cells in plain NumPy, forward and backward by hand; sampling runs on them, without torch."""
