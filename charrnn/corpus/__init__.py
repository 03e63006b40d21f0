"""Floor 3: the prepared dataset on the disk, how it is made, and how it is opened."""
