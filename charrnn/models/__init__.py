"""Floor 3: models; each is built from its section of the config by `build.py`."""
