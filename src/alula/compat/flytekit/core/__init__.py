"""flytekit's core, in thin modules over Alula's."""
