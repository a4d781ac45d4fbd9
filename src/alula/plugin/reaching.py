"""What an attempt reads and writes in object stores, as far as its inputs and its command line say; pure."""

from __future__ import annotations

from alula.data import uris
from alula.data.fingerprint import uris_in
from alula.data.settings import Reach
from alula.idl import LiteralMap, containers
from alula.plugin.runner import Job

_SCHEMES = ("s3://", "s3a://", "gs://", "gcs://", "az://", "abfs://", "abfss://", "azure://")


def reach(job: Job) -> Reach:
    """URIs of the object stores that an attempt may read and write: its own prefixes; the files that its inputs point
    to, also those within plain data; the former checkpoint; what its command line and its variables name, such as the
    code that is sent along."""
    values = LiteralMap.FromString(job.inputs).literals
    found = {uri for scheme in _SCHEMES for uri in uris_in(values.values(), below=scheme)}
    container = containers.of(job.template)
    found |= {*container.command, *container.args, *(pair.value for pair in container.env), job.checkpoint}
    read = (uri for uri in sorted(found) if uri.startswith(_SCHEMES))
    return Reach(tuple(read), tuple(uri for uri in (job.prefix, job.user_data) if uris.is_remote(uri)))
