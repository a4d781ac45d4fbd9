"""Further kinds of task."""
