"""A container engine: what to run as frozen records, the calls that run it, and its errors as ours.

`open_engine` finds one; `Engine` is the contract that `docker.DockerEngine` keeps, and that tests keep in memory.
"""
