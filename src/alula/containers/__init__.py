"""Containers: the engines of this machine and of others near it, and the files that tasks in containers are given.

What lives here: `engine`, the Docker Engine API as a few frozen records and calls; what several rooms share about the
files of raw containers and about images.
What does not: the plugin that runs tasks in containers (`backends.docker`), pods (`hosting.k8s`), what a task says
about its image (room `sdk`).
Who may import it: every room above the contracts: sdk, runtime, backends, hosting, serve, cli.
Where to add one: another engine with the same interface is a setting, no file; another interface is a file in
`engine`, behind the same calls.
"""
