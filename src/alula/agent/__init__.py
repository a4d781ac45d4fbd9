"""Serves plugins as agents of Flyte's protocol, so that any engine that calls agents can use them.

What lives here: the three services over gRPC (`services`), the server around them (`server`), which plugins it serves
(`plugins`), and how it announces itself (`announce`).
What does not: calling agents, and checking them from outside (`backends.agent`); plugins.
Who may import it: `cli`, `testing`, tests.
Where to add one: a new call of the protocol is a method of `services.Services`; a plugin needs nothing here.
"""
