"""Agents: services of the protocol that Flyte calls agents or connectors, in any language, called over gRPC.

What lives here: which agent serves which task type (`routes`, pure; `directory`, which asks them), connections
(`channels`), requests (`requests`, pure), answers (`answers`, pure), and the two plugins: `jobs` for agents that start
jobs, `calls` for those that answer at once.
What does not: serving agents (room `agent`), rows, retries and clean-up (the engine's).
Who may import it: nobody; the entry points `agent` and `agent-call` of `alula.backends` name the plugins.
Where to add one: an agent needs no code here, but a line in `[backends.agent.endpoints]`, or it announces itself.
"""
