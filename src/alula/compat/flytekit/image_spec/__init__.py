"""Images by what they contain."""

from alula.compat.names import mirror

__getattr__, __dir__ = mirror(
    __name__, {"alula.sdk.image_spec": "ImageSpec ImageBuildEngine ImageSpecBuilder NoOpBuilder"}
)
