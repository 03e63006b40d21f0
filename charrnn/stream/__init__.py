"""Floor 4: row plans as pure functions of the step, and the gather that fills a batch from one."""
