"""The figures that Alula promises, each measured beside its rival in one run."""
