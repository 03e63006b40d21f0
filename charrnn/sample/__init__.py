"""Floor 6: filters, drawing and decoding, in NumPy, the same on every device."""
