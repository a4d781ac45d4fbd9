"""flytekit's models of the messages on the wire."""
