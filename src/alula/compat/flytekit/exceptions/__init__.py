"""flytekit's tree of errors."""
