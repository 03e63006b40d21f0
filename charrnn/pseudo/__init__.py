"""Floor 8: rounds of pseudo-labels: a teacher labels, a student learns, and a control shows what that was worth."""
