"""Floor 2: checkpoints as folders of named tensors and JSON documents; knows no model."""
