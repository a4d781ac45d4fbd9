"""Alula imports lazily itself."""
