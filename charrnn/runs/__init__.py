"""Floor 7: a run folder, and the wiring of a training run: task, saver, sampler and logger meet the loop here."""
