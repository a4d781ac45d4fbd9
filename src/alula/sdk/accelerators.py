"""Devices that a task asks for by name, whole or in parts: `@task(accelerator=A100.partition_2g_10gb)`.

Where to add one: a line below; the name is the device label of the cluster's nodes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Self

from alula.errors import CallError
from alula.idl import ExtendedResources, SharedMemory
from alula.idl import GPUAccelerator as Message

SHARED_MEMORY_NAME = "flyte-shared-memory"
SHARED_MEMORY_PATH = "/dev/shm"


class BaseAccelerator(ABC):
    """A device that a task runs on."""

    @abstractmethod
    def to_message(self) -> Message:
        """The device on the wire. TPUs too: flyteidl has one message for all."""


class GPUAccelerator(BaseAccelerator):
    """A device that is given out whole.

    Args:
        device: Its name on the nodes of the cluster.
    """

    def __init__(self, device: str) -> None:
        self.device = device

    def to_message(self) -> Message:
        return Message(device=self.device)

    def __repr__(self) -> str:
        return f"GPUAccelerator({self.device!r})"


class MultiInstanceGPUAccelerator(BaseAccelerator):
    """A device that can be given out in parts. Subclass it with `device`; an instance leaves the choice open."""

    device: ClassVar[str]
    partition_size: str = ""
    whole: bool = False
    """True: the device must not be partitioned."""

    @property
    def unpartitioned(self) -> Self:
        """The device in one piece, on a node that does not partition it."""
        other = type(self)()
        other.whole = True
        return other

    @classmethod
    def partitioned(cls, partition_size: str) -> Self:
        """A part of the device; for a TPU, a slice."""
        other = cls()
        other.partition_size = partition_size
        return other

    def to_message(self) -> Message:
        if self.whole:
            return Message(device=self.device, unpartitioned=True)
        if self.partition_size:
            return Message(device=self.device, partition_size=self.partition_size)
        return Message(device=self.device)

    def __repr__(self) -> str:
        part = " unpartitioned" if self.whole else f" {self.partition_size}" if self.partition_size else ""
        return f"<{self.device}{part}>"


class _Part:
    """An attribute that is a part of the device it belongs to."""

    def __init__(self, size: str) -> None:
        self._size = size

    def __get__(
        self, instance: MultiInstanceGPUAccelerator | None, owner: type[MultiInstanceGPUAccelerator]
    ) -> MultiInstanceGPUAccelerator:
        return owner.partitioned(self._size)


class _A100(MultiInstanceGPUAccelerator):
    device = "nvidia-tesla-a100"
    partition_1g_5gb = _Part("1g.5gb")
    partition_2g_10gb = _Part("2g.10gb")
    partition_3g_20gb = _Part("3g.20gb")
    partition_4g_20gb = _Part("4g.20gb")
    partition_7g_40gb = _Part("7g.40gb")


class _A100_80GB(MultiInstanceGPUAccelerator):
    device = "nvidia-a100-80gb"
    partition_1g_10gb = _Part("1g.10gb")
    partition_2g_20gb = _Part("2g.20gb")
    partition_3g_40gb = _Part("3g.40gb")
    partition_4g_40gb = _Part("4g.40gb")
    partition_7g_80gb = _Part("7g.80gb")


class _Slices(MultiInstanceGPUAccelerator):
    """The slices that v5e and v6e have in common."""

    slice_1x1 = _Part("1x1")
    slice_2x2 = _Part("2x2")
    slice_2x4 = _Part("2x4")
    slice_4x4 = _Part("4x4")
    slice_4x8 = _Part("4x8")
    slice_8x8 = _Part("8x8")
    slice_8x16 = _Part("8x16")
    slice_16x16 = _Part("16x16")


class _V5E(_Slices):
    device = "tpu-v5-lite-podslice"


class _V6E(_Slices):
    device = "tpu-v6e-slice"


class _V5P(MultiInstanceGPUAccelerator):
    device = "tpu-v5p-slice"
    slice_2x2x1 = _Part("2x2x1")
    slice_2x2x2 = _Part("2x2x2")
    slice_2x4x4 = _Part("2x4x4")
    slice_4x4x4 = _Part("4x4x4")
    slice_4x4x8 = _Part("4x4x8")
    slice_4x8x8 = _Part("4x8x8")
    slice_8x8x8 = _Part("8x8x8")
    slice_8x8x16 = _Part("8x8x16")
    slice_8x16x16 = _Part("8x16x16")
    slice_16x16x16 = _Part("16x16x16")
    slice_16x16x24 = _Part("16x16x24")


A10G = GPUAccelerator("nvidia-a10g")
L4 = GPUAccelerator("nvidia-l4")
L4_VWS = GPUAccelerator("nvidia-l4-vws")
L40S = GPUAccelerator("nvidia-l40s")
K80 = GPUAccelerator("nvidia-tesla-k80")
M60 = GPUAccelerator("nvidia-tesla-m60")
P4 = GPUAccelerator("nvidia-tesla-p4")
P100 = GPUAccelerator("nvidia-tesla-p100")
T4 = GPUAccelerator("nvidia-tesla-t4")
V100 = GPUAccelerator("nvidia-tesla-v100")
H100 = GPUAccelerator("nvidia-h100")
H200 = GPUAccelerator("nvidia-h200")
RTX_PRO_6000 = GPUAccelerator("nvidia-rtx-pro-6000")
A100 = _A100()
A100_80GB = _A100_80GB()
V5E = _V5E()
V5P = _V5P()
V6E = _V6E()


def extended_resources(
    accelerator: BaseAccelerator | None = None, shared_memory: bool | str | None = None
) -> ExtendedResources | None:
    """What a task asks for beside `Resources`; None if that is nothing.

    Args:
        accelerator: The device.
        shared_memory: True: as much as the task has memory. A quantity such as `2Gi`: so much.

    Raises:
        CallError: An argument is of another kind.
    """
    message = ExtendedResources()
    if accelerator is not None:
        if not isinstance(accelerator, BaseAccelerator):
            raise CallError(
                f"accelerator takes an accelerator, got {type(accelerator).__name__}: {accelerator!r:.80}",
                fix="use one of alula.sdk.accelerators, or GPUAccelerator('name-of-the-device')",
            )
        message.gpu_accelerator.CopyFrom(accelerator.to_message())
    if shared_memory is not None and shared_memory is not False:
        if not isinstance(shared_memory, (str, bool)):
            raise CallError(
                f"shared_memory takes True or a quantity, got {type(shared_memory).__name__}: {shared_memory!r:.80}",
                fix='write shared_memory=True, or shared_memory="2Gi"',
            )
        size = "" if shared_memory is True else shared_memory
        message.shared_memory.CopyFrom(
            SharedMemory(mount_name=SHARED_MEMORY_NAME, mount_path=SHARED_MEMORY_PATH, size_limit=size)
        )
    return message if message.ByteSize() else None
