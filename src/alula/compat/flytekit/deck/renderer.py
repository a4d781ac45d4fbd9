"""Renderers, at the path where flytekit defines them."""

from alula.compat.names import mirror

__getattr__, __dir__ = mirror(
    __name__,
    {
        "alula.sdk.renderers": "MarkdownRenderer SourceCodeRenderer TopFrameRenderer ArrowRenderer=TableRenderer "
        "PythonDependencyRenderer Renderable DEFAULT_MAX_ROWS DEFAULT_MAX_COLS",
    },
)
