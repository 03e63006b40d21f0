"""Floor 5: the training loop and its parts; it meets a task only through `contracts.py`."""
