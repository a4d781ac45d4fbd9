"""Tools around registration."""
