"""`ImageGrid`: many small grey images as one value. A custom type, from the class to its registration.

On the wire it is one PNG file: the images side by side on one sheet, and their size and captions in the PNG's own text
fields. Any image viewer shows it.
"""

from __future__ import annotations

import base64
import io
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from alula import types
from alula.errors import ConversionError
from alula.types.blob import BlobTransformer


@dataclass(frozen=True, eq=False)
class ImageGrid:
    """Grey images of one size, and a caption for each."""

    pixels: NDArray[np.uint8]
    """Shape (images, height, width); 0 is black, 255 is white."""
    captions: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.pixels.ndim != 3 or len(self.pixels) != len(self.captions):
            raise ValueError(f"{len(self.captions)} captions do not fit pixels of shape {self.pixels.shape}")

    def __len__(self) -> int:
        return len(self.pixels)

    def chosen(self, which: Sequence[int]) -> ImageGrid:
        """A grid of these images alone, in this order."""
        return ImageGrid(self.pixels[list(which)], tuple(self.captions[i] for i in which))

    def sheet(self) -> Image.Image:
        """All images on one sheet that is about as wide as it is high."""
        count, height, width = self.pixels.shape
        columns = max(1, math.ceil(math.sqrt(count)))
        rows = math.ceil(count / columns)
        cells = np.full((rows * columns, height, width), 255, np.uint8)
        cells[:count] = self.pixels
        return Image.fromarray(
            cells.reshape(rows, columns, height, width).swapaxes(1, 2).reshape(rows * height, columns * width)
        )


class ImageGridTransformer(BlobTransformer[ImageGrid]):
    """One file per value, so the base class does all but the writing and the reading of it."""

    python_type = ImageGrid
    format = "image-grid"  # part of the type on the wire: only a task that declares ImageGrid accepts it
    suffix = ".png"

    def save(self, value: ImageGrid, path: Path, t: Any) -> None:
        about = PngImagePlugin.PngInfo()
        about.add_text("size", json.dumps(value.pixels.shape))
        about.add_text("captions", json.dumps(value.captions))
        value.sheet().save(path, format="PNG", pnginfo=about)

    def load(self, path: Path, t: Any) -> ImageGrid:
        with Image.open(path) as sheet:
            try:
                count, height, width = json.loads(sheet.info["size"])
                captions = tuple(json.loads(sheet.info["captions"]))
            except KeyError as exc:
                raise ConversionError(
                    f"the PNG lacks the text field {exc}, so it is no image grid",
                    where=path.name,
                    fix="read files that a task returned as ImageGrid",
                ) from exc
            cells = np.asarray(sheet)
        rows, columns = cells.shape[0] // height, cells.shape[1] // width
        images = cells.reshape(rows, height, columns, width).swapaxes(1, 2).reshape(-1, height, width)
        return ImageGrid(images[:count], captions)

    def preview(self, value: ImageGrid) -> str:
        out = io.BytesIO()
        value.sheet().save(out, format="PNG")
        data = base64.b64encode(out.getvalue()).decode()
        return f'<img src="data:image/png;base64,{data}" alt="{len(value)} images">'


types.register(ImageGridTransformer())
