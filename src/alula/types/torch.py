"""PyTorch tensors, modules and checkpoints as `.pt` files."""

from __future__ import annotations

import dataclasses
import pickle
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch

from alula.errors import ConversionError
from alula.idl import BlobType, LiteralType
from alula.types.blob import BlobTransformer
from alula.types.transformer import Types, TypeTransformer, split, wrong_type


class _TorchTransformer(BlobTransformer[Any]):
    suffix = ".pt"
    weights_only: ClassVar[bool] = True
    """Refuse files that would run code when they are read."""

    def save(self, value: Any, path: Path, t: Any) -> None:
        try:
            torch.save(self.form(value), path)
        except (pickle.PicklingError, TypeError, AttributeError) as exc:
            raise ConversionError(f"the {type(value).__name__} cannot be saved: {exc}") from exc

    def form(self, value: Any) -> Any:
        """What goes into the file."""
        return value

    def load(self, path: Path, t: Any) -> Any:
        """On the GPU if this machine has one, whatever wrote the file."""
        device = "cuda:0" if torch.cuda.is_available() else "cpu"
        try:
            return torch.load(path, map_location=device, weights_only=self.weights_only)
        except (pickle.UnpicklingError, RuntimeError, EOFError, AttributeError, ImportError) as exc:
            raise ConversionError(
                f"the file cannot be read: {str(exc).splitlines()[0]}",
                where=path.name,
                fix="declare what was written; only torch.nn.Module allows pickled code",
            ) from exc

    def guess(self, lt: LiteralType, types: Types) -> Any:
        mine = lt.blob.format == self.format and lt.blob.dimensionality == BlobType.SINGLE
        return self.python_type if mine else None


class TensorTransformer(_TorchTransformer):
    """A tensor. Nothing but data is read."""

    python_type = torch.Tensor
    name = "PyTorch Tensor"
    format = "PyTorchTensor"

    def preview(self, value: torch.Tensor) -> str:
        return f"<pre>tensor of {tuple(value.shape)}, {value.dtype}, on {value.device}</pre>"


class ModuleTransformer(_TorchTransformer):
    """A whole module: its class by name, and its weights.

    The file is a pickle, and reading a pickle runs the code that it names. Declaring a module is asking for that: read
    only what your own tasks wrote, or pass a `PyTorchCheckpoint`, which holds nothing but weights.
    """

    python_type = torch.nn.Module
    name = "PyTorch Module"
    format = "PyTorchModule"
    weights_only = False

    def load(self, path: Path, t: Any) -> Any:
        value = super().load(path, t)
        if not isinstance(value, split(t)[0]):
            raise wrong_type(value, t)
        return value


class PyTorchCheckpoint(Mapping[str, Any]):
    """Weights and settings to go on from, without the code: a mapping as `torch.save` stores it.

    Make one with `PyTorchCheckpoint(module=..., optimizer=..., hyperparameters=...)`. What a task gets has
    `module_state_dict`, `optimizer_state_dict` and the hyperparameters under their own names.

    Args:
        module: Its state is kept.
        hyperparameters: A dict, a named tuple or a dataclass of plain values.
        optimizer: Its state is kept.
    """

    def __init__(
        self,
        module: torch.nn.Module | None = None,
        hyperparameters: Any = None,
        optimizer: torch.optim.Optimizer | None = None,
    ) -> None:
        self.state: dict[str, Any] = {}
        if module is not None:
            self.state["module_state_dict"] = module.state_dict()
        self.state |= _named(hyperparameters)
        if optimizer is not None:
            self.state["optimizer_state_dict"] = optimizer.state_dict()
        if not self.state:
            raise ConversionError(
                "an empty PyTorchCheckpoint", fix="pass at least one of module, hyperparameters and optimizer"
            )

    def __getitem__(self, key: str) -> Any:
        return self.state[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.state)

    def __len__(self) -> int:
        return len(self.state)

    def __repr__(self) -> str:
        return f"PyTorchCheckpoint({', '.join(self.state)})"


class CheckpointTransformer(_TorchTransformer):
    """A checkpoint. Nothing but data is read."""

    python_type = PyTorchCheckpoint
    name = "PyTorch Checkpoint"
    format = "PyTorchCheckpoint"

    def form(self, value: Any) -> Any:
        return value.state

    def load(self, path: Path, t: Any) -> PyTorchCheckpoint:
        return PyTorchCheckpoint(hyperparameters=super().load(path, t))


def _named(values: Any) -> dict[str, Any]:
    if values is None:
        return {}
    if isinstance(values, Mapping):
        return dict(values)
    if isinstance(values, tuple) and hasattr(values, "_asdict"):
        return dict(values._asdict())
    if dataclasses.is_dataclass(values) and not isinstance(values, type):
        return dataclasses.asdict(values)
    raise ConversionError(
        f"hyperparameters are a {type(values).__name__}", fix="pass a dict, a dataclass or a named tuple"
    )


transformers: list[TypeTransformer[Any]] = [TensorTransformer(), ModuleTransformer(), CheckpointTransformer()]
