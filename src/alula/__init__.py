"""Alula: typed tasks, composed into workflows, run anywhere."""
