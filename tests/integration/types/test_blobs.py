"""Arrays, images, tensors, estimators, iterators and JSON lines on their way through every kind of store."""

from __future__ import annotations

import collections.abc
import pickle
import subprocess
import sys
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, NamedTuple

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.base import BaseEstimator
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression

from alula._kits import bridge
from alula.errors import ConversionError, UnsupportedType
from alula.idl import literals as lits
from alula.types import Place, default
from alula.types.files import File
from alula.types.jsonlines import JSON, JsonLines
from alula.types.torch import PyTorchCheckpoint
from tests.integration.types.convert import read, round_trip, write

PICKLED = Annotated[np.ndarray, {"allow_pickle": True}]


class Evil:
    """Leaves a mark when it is unpickled."""

    marks: ClassVar[list[str]] = []

    def __reduce__(self) -> Any:
        return _mark, ("ran",)


def _mark(text: str) -> str:
    Evil.marks.append(text)
    return text


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6).reshape(2, 3),
        np.array(5.5),
        np.array(["a", "ż"]),
        np.zeros((0, 3), "uint8"),
        np.asfortranarray([[1, 2]]),
    ],
    ids=lambda array: str(array.dtype),
)
def test_an_array_comes_back(at: Place, array: Any) -> None:
    lit = write(np.ndarray, array, at)
    assert lit == lits.blob(f"{at.prefix}/blob0/ndarray.npy", format="NumpyArray")
    got = read(np.ndarray, lit, at)
    np.testing.assert_array_equal(got, array)
    assert got.dtype == array.dtype


def test_an_array_of_objects_is_pickled_only_when_asked(here: Place) -> None:
    array = np.array([{"a": 1}], dtype=object)
    with pytest.raises(ConversionError, match="only be stored as pickle") as caught:
        write(np.ndarray, array, here)
    assert "allow_pickle=True" in caught.value.fix
    assert round_trip(PICKLED, array, here)[0] == {"a": 1}


def test_a_pickled_array_is_not_read_unless_asked(here: Place) -> None:
    lit = write(PICKLED, np.array([Evil()], dtype=object), here)
    Evil.marks.clear()
    with pytest.raises(ConversionError, match="no array that can be read") as caught:
        read(np.ndarray, lit, here)
    assert "allow_pickle=True" in caught.value.fix
    assert Evil.marks == []


def test_an_array_is_mapped_when_asked(at: Place) -> None:
    mapped = Annotated[np.ndarray, {"mmap_mode": "r"}]
    got = round_trip(mapped, np.arange(5), at)
    assert isinstance(got, np.memmap)
    assert got.tolist() == [0, 1, 2, 3, 4]
    with pytest.raises(ConversionError, match="would change what is stored"):
        read(Annotated[np.ndarray, {"mmap_mode": "r+"}], write(mapped, np.arange(5), at), at)


def test_typed_arrays_are_arrays(here: Place) -> None:
    import numpy.typing as npt

    assert round_trip(npt.NDArray[np.float64], np.ones(2), here).tolist() == [1, 1]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_an_image_keeps_its_mode_and_pixels(at: Place, mode: str) -> None:
    image = Image.effect_noise((5, 4), 90)
    image = Image.new(mode, (5, 4), 7) if mode == "I;16" else image.convert(mode)
    lit = write(Image.Image, image, at)
    assert lit.scalar.blob.metadata.type.format == "PIL.Image"
    got = read(Image.Image, lit, at)
    assert (got.mode, got.size, got.tobytes()) == (mode, (5, 4), image.tobytes())


@pytest.mark.parametrize("mode", ["CMYK", "F", "I", "HSV"])
def test_an_image_that_png_cannot_hold_is_refused(here: Place, mode: str) -> None:
    with pytest.raises(ConversionError, match=f"mode '{mode}'"):
        write(Image.Image, Image.new(mode, (2, 2)), here)


def test_an_image_shows_itself() -> None:
    shown = default.transformer(Image.Image).preview(Image.new("CMYK", (2000, 10)))
    assert shown.startswith('<img src="data:image/png;base64,')
    assert 'alt="image of 2000 x 10, CMYK"' in shown


@pytest.mark.parametrize("t", [np.ndarray, Image.Image, torch.Tensor, torch.nn.Module, BaseEstimator], ids=str)
def test_a_file_that_is_something_else_is_refused(here: Place, t: Any, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"\x80\x04nothing of the kind")
    lit = lits.blob(str(tmp_path / "x"), format=default.literal_type(t).blob.format)
    with pytest.raises(ConversionError):
        read(t, lit, here)
    with pytest.raises(ConversionError, match="is gone"):
        read(t, lits.blob(str(tmp_path / "y")), here)
    with pytest.raises(ConversionError, match="expected a file"):
        read(t, lits.integer(5), here)


def test_a_tensor_comes_back(at: Place) -> None:
    for tensor in (
        torch.arange(6.0).reshape(2, 3),
        torch.nn.Parameter(torch.ones(2)),
        torch.tensor(3, dtype=torch.int8),
    ):
        got = round_trip(torch.Tensor, tensor, at)
        assert type(got) is type(tensor)
        assert torch.equal(got, tensor)


def test_a_tensor_file_that_holds_code_is_not_run(here: Place, tmp_path: Path) -> None:
    torch.save(Evil(), tmp_path / "evil.pt")
    Evil.marks.clear()
    for t in (torch.Tensor, PyTorchCheckpoint):
        with pytest.raises(ConversionError, match="cannot be read"):
            read(t, lits.blob(str(tmp_path / "evil.pt")), here)
    assert Evil.marks == []


def test_a_module_comes_back(at: Place) -> None:
    module = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU())
    for t in (torch.nn.Module, torch.nn.Sequential):
        got = round_trip(t, module, at)
        assert torch.equal(got[0].weight, module[0].weight)
    with pytest.raises(ConversionError, match=r"expected torch\.Linear"):
        write(torch.nn.Linear, module, at)
    with pytest.raises(ConversionError, match=r"expected torch\.Linear"):
        read(torch.nn.Linear, write(torch.nn.Module, module, at), at)


@dataclass
class Settings:
    lr: float
    layers: int


class Named(NamedTuple):
    lr: float
    layers: int


def test_a_checkpoint_comes_back_as_what_torch_loads(at: Place) -> None:
    module = torch.nn.Linear(1, 1)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.5)
    for settings in ({"lr": 0.5, "layers": 2}, Settings(0.5, 2), Named(0.5, 2)):
        got = round_trip(PyTorchCheckpoint, PyTorchCheckpoint(module, settings, optimizer), at)
        assert (got["lr"], got["layers"], len(got)) == (0.5, 2, 4)
        fresh = torch.nn.Linear(1, 1)
        fresh.load_state_dict(got["module_state_dict"])
        assert torch.equal(fresh.weight, module.weight)
        assert got["optimizer_state_dict"]["param_groups"][0]["lr"] == 0.5


def test_an_empty_checkpoint_is_refused() -> None:
    with pytest.raises(ConversionError, match="empty"):
        PyTorchCheckpoint()
    with pytest.raises(ConversionError, match="hyperparameters are a int"):
        PyTorchCheckpoint(hyperparameters=5)


def test_an_estimator_comes_back_fitted(at: Place) -> None:
    fitted = LinearRegression().fit([[0.0], [1.0]], [1.0, 3.0])
    for t in (LinearRegression, BaseEstimator):
        assert round_trip(t, fitted, at).predict([[2.0]])[0] == pytest.approx(5.0)
    with pytest.raises(ConversionError, match=r"expected sklearn\.RandomForestClassifier"):
        write(RandomForestClassifier, fitted, at)
    with pytest.raises(ConversionError, match=r"expected sklearn\.RandomForestClassifier"):
        read(RandomForestClassifier, write(BaseEstimator, fitted, at), at)


def test_what_cannot_be_pickled_is_refused_with_advice(here: Place) -> None:
    with pytest.raises(ConversionError, match="cannot be pickled"):
        write(BaseEstimator, LinearRegression().set_params(copy_X=lambda: 0), here)


@pytest.mark.parametrize("t", [Iterator[int], typing.Iterator[int], collections.abc.Iterator[int]], ids=str)
def test_an_iterator_is_a_list_on_the_wire(here: Place, t: Any) -> None:
    lit = write(t, (n * n for n in range(4)), here)
    assert lit == write(list[int], [0, 1, 4, 9], here)
    got = read(t, lit, here)
    assert len(got) == 4
    assert next(got) == 0
    assert list(got) == [0, 1, 4, 9]
    assert default.converter(t).name == "Typed Iterator"


def test_elements_are_fetched_one_by_one(at: Place, tmp_path: Path) -> None:
    def files() -> Iterator[Path]:
        for nth in range(3):
            (tmp_path / str(nth)).write_text(str(nth))
            yield tmp_path / str(nth)

    got = round_trip(Iterator[File], files(), at)
    first = next(got)
    assert (Path(first).read_text(), len(got)) == ("0", 3)
    assert [Path(file).read_text() for file in got] == ["0", "1", "2"]
    arrays = round_trip(Iterator[np.ndarray], iter([np.zeros(1), np.ones(1)]), at)
    assert [array[0] for array in arrays] == [0, 1]


def test_a_bad_element_is_named_by_its_place(here: Place) -> None:
    with pytest.raises(ConversionError) as caught:
        write(Iterator[int], iter([1, "x"]), here)
    assert caught.value.path == "[1]"
    lit = write(list[str], ["a"], here)
    with pytest.raises(ConversionError, match=r"^\[0\]"):
        next(read(Iterator[int], lit, here))
    for wrong in (5, "text", {"a": 1}):
        with pytest.raises(ConversionError, match="expected"):
            write(Iterator[int], wrong, here)
    with pytest.raises(UnsupportedType, match="what it yields"):
        default.converter(Iterator)


VALUES: list[JSON] = [{"a": 1, "ż": [None, True]}, [1, 2.5], "line\nbreak", 5, False]


def test_json_lines_stream_through_a_file(at: Place) -> None:
    lit = write(Iterator[JSON], iter(VALUES), at)
    assert lit == lits.blob(f"{at.prefix}/blob0", format="jsonl")
    got = read(Iterator[JSON], lit, at)
    assert isinstance(got, JsonLines)
    assert next(got) == VALUES[0]
    assert list(got) == VALUES
    assert list(got) == VALUES
    assert default.guess(default.literal_type(Iterator[JSON])) == Iterator[JSON]


def test_json_lines_may_be_none_at_all(at: Place) -> None:
    assert list(round_trip(Iterator[JSON], iter([]), at)) == []


def test_what_is_not_json_is_named_by_its_line(here: Place, tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match=r"^\[1\]: a set is no JSON value"):
        write(Iterator[JSON], iter([1, {2}]), here)
    (tmp_path / "x.jsonl").write_text('{"a": 1}\n\n{"a"\n')
    got = read(Iterator[JSON], lits.blob(str(tmp_path / "x.jsonl"), format="jsonl"), here)
    assert next(got) == {"a": 1}
    with pytest.raises(ConversionError, match="line 3 is not JSON"):
        next(got)
    with pytest.raises(ConversionError, match="are gone"):
        read(Iterator[JSON], lits.blob(str(tmp_path / "nowhere")), here)


def test_a_generator_that_fails_leaves_nothing_behind(here: Place) -> None:
    def values() -> Iterator[JSON]:
        yield 1
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        write(Iterator[JSON], values(), here)
    assert bridge.run(_all(here)) == []


async def _all(place: Place) -> list[str]:
    return [uri async for uri in place.objects.list(place.prefix)]


def test_a_package_is_loaded_when_its_type_is_first_seen() -> None:
    code = """
import sys
from alula.types import default
default.converter(int)
assert "numpy" not in sys.modules
import numpy
assert default.converter(numpy.ndarray).literal_type.blob.format == "NumpyArray"
assert "torch" not in sys.modules and "pandas" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_evil_runs_where_pickle_is_asked_for() -> None:
    """The bait of the tests above works."""
    Evil.marks.clear()
    assert pickle.loads(pickle.dumps(Evil())) == "ran"
    assert Evil.marks == ["ran"]
