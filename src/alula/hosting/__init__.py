"""Hosts: they run a plugin for the engine, and stand between the two.

What lives here: `Host`, which turns any plugin into a `Runner` with a loop of its own; adapters that reduce the simpler
kinds to `CorePlugin`; what a plugin is lent (`task`), how often it may call (`limits`), its secrets, and which plugin
runs which type of task (`registry`).
What does not: any remote service (room `backends`), decisions about executions (room `engine`), rows (room `store`).
Who may import it: `serve`, `testing`, `agent`, `cli`.
Where to add one: a kind of plugin is an adapter here, chosen in `adapting`; a plugin is a file in `backends`.
"""
