"""Floor 1: what a config may say (`schema/`), and how a file becomes one (`load.py`, `override.py`)."""
