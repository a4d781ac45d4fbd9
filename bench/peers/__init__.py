"""One small program per rival, run as `python peer_x.py CASE COUNT` in an environment of its own.

CASE is `chain` (COUNT no-op tasks, each taking the result of the one before) or `wide` (COUNT that take nothing from
one another). Every program warms up with a smaller run, then prints one line of JSON: seconds per task, and what it
keeps. None imports anything of this project.
"""
