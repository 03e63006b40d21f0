"""Floor 8: a trained language model for other programs: an ONNX graph with its vocabulary, and a page for browsers."""
