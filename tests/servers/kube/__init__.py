"""A Kubernetes API server for tests, which answers as the exchanges recorded from a real one do (`recorded.jsonl`)."""
