"""`PIL.Image.Image` as a PNG file."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

from PIL import Image, UnidentifiedImageError

from alula.errors import ConversionError
from alula.idl import BlobType, LiteralType
from alula.types.blob import BlobTransformer
from alula.types.transformer import Types, TypeTransformer

_PREVIEW_PIXELS = 512
_LIKE_PNG = {"1", "I;16", "L", "LA", "P", "RGB", "RGBA"}
"""The modes that PNG keeps as they are."""


class ImageTransformer(BlobTransformer[Image.Image]):
    """An image, without loss, in the mode that it has."""

    python_type = Image.Image
    name = "PIL.Image"
    format = "PIL.Image"
    suffix = ".png"

    def save(self, value: Image.Image, path: Path, t: Any) -> None:
        if value.mode not in _LIKE_PNG:
            raise ConversionError(
                f"an image of mode {value.mode!r} does not fit into PNG, which is how images are stored",
                fix="image.convert('RGB'), or pass a File",
            )
        value.save(path, format="PNG")

    def load(self, path: Path, t: Any) -> Image.Image:
        try:
            with Image.open(path) as image:
                image.load()
                return image
        except (UnidentifiedImageError, OSError) as exc:
            raise ConversionError(f"the file is no image that can be read: {exc}", where=path.name) from exc

    def guess(self, lt: LiteralType, types: Types) -> Any:
        mine = lt.blob.format == self.format and lt.blob.dimensionality == BlobType.SINGLE
        return Image.Image if mine else None

    def preview(self, value: Image.Image) -> str:
        small = value.convert("RGBA" if "A" in value.getbands() else "RGB")
        small.thumbnail((_PREVIEW_PIXELS, _PREVIEW_PIXELS))
        out = io.BytesIO()
        small.save(out, format="PNG")
        data = base64.b64encode(out.getvalue()).decode()
        return f'<img src="data:image/png;base64,{data}" alt="image of {value.width} x {value.height}, {value.mode}">'


transformers: list[TypeTransformer[Any]] = [ImageTransformer()]
