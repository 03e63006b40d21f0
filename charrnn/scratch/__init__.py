"""Floor 2: the recurrent cells in plain NumPy; the sampler runs on them, without torch."""
