"""Deterministic simulation: the whole engine on one loop, in virtual time, with faults by seed."""
