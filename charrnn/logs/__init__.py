"""Floor 2: what a run tells: the record on the disk (the truth), TensorBoard's copy of it, and the console."""
