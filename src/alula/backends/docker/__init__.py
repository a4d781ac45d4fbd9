"""Tasks in containers of one engine: Docker, or Podman.

`settings` has what the operator says, `making` what a task becomes, `states` what the end of its container means;
`watch` and `logs` follow running ones, `plugin` puts them together.
"""

from alula.backends.docker.plugin import Docker

__all__ = ["Docker"]
