from __future__ import annotations

import pytest

from alula.errors import CallError
from alula.sdk import accelerators
from alula.sdk.accelerators import A100, T4, V5E, BaseAccelerator, GPUAccelerator, MultiInstanceGPUAccelerator
from alula.sdk.accelerators import extended_resources as extended

# Every constant of flytekit 1.16.31 and its message there.
DEVICES = {
    "A100": "0a116e76696469612d7465736c612d61313030",
    "A100_80GB": "0a106e76696469612d613130302d38306762",
    "A10G": "0a0b6e76696469612d61313067",
    "H100": "0a0b6e76696469612d68313030",
    "H200": "0a0b6e76696469612d68323030",
    "K80": "0a106e76696469612d7465736c612d6b3830",
    "L4": "0a096e76696469612d6c34",
    "L40S": "0a0b6e76696469612d6c343073",
    "L4_VWS": "0a0d6e76696469612d6c342d767773",
    "M60": "0a106e76696469612d7465736c612d6d3630",
    "P100": "0a116e76696469612d7465736c612d70313030",
    "P4": "0a0f6e76696469612d7465736c612d7034",
    "RTX_PRO_6000": "0a136e76696469612d7274782d70726f2d36303030",
    "T4": "0a0f6e76696469612d7465736c612d7434",
    "V100": "0a116e76696469612d7465736c612d76313030",
    "V5E": "0a147470752d76352d6c6974652d706f64736c696365",
    "V5P": "0a0d7470752d7635702d736c696365",
    "V6E": "0a0d7470752d7636652d736c696365",
}
SLICES = ["1x1", "2x2", "2x4", "4x4", "4x8", "8x8", "8x16", "16x16"]
PARTS = {
    "A100": ["1g.5gb", "2g.10gb", "3g.20gb", "4g.20gb", "7g.40gb"],
    "A100_80GB": ["1g.10gb", "2g.20gb", "3g.40gb", "4g.40gb", "7g.80gb"],
    "V5E": SLICES,
    "V6E": SLICES,
    "V5P": "2x2x1 2x2x2 2x4x4 4x4x4 4x4x8 4x8x8 8x8x8 8x8x16 8x16x16 16x16x16 16x16x24".split(),
}


def wire(accelerator: BaseAccelerator) -> str:
    return accelerator.to_message().SerializeToString().hex()


@pytest.mark.parametrize("name", DEVICES)
def test_a_device_has_the_bytes_that_flytekit_writes(name: str) -> None:
    assert wire(getattr(accelerators, name)) == DEVICES[name]


@pytest.mark.parametrize(("name", "size"), [(name, size) for name, sizes in PARTS.items() for size in sizes])
def test_a_part_has_the_bytes_that_flytekit_writes(name: str, size: str) -> None:
    kind = "partition" if "g." in size else "slice"
    part = getattr(getattr(accelerators, name), f"{kind}_{size.replace('.', '_')}")
    assert wire(part) == DEVICES[name] + (b"\x1a" + bytes([len(size)]) + size.encode()).hex()


def test_a_device_may_be_asked_for_in_one_piece() -> None:
    assert wire(A100.unpartitioned) == DEVICES["A100"] + "1001"
    assert wire(A100) == DEVICES["A100"], "asking does not change the constant"


def test_further_devices_are_made_as_with_flytekit() -> None:
    class Mine(MultiInstanceGPUAccelerator):
        device = "x"

    assert wire(GPUAccelerator("x")) == "0a0178"
    assert wire(Mine.partitioned("9g")) == "0a01781a023967"
    assert wire(A100.partitioned("9g")) == DEVICES["A100"] + "1a023967"


def test_accelerators_show_what_they_are() -> None:
    shown = [repr(each) for each in (T4, A100, A100.unpartitioned, V5E.slice_2x4)]
    assert shown == [
        "GPUAccelerator('nvidia-tesla-t4')",
        "<nvidia-tesla-a100>",
        "<nvidia-tesla-a100 unpartitioned>",
        "<tpu-v5-lite-podslice 2x4>",
    ]


def test_shared_memory_has_the_bytes_that_flytekit_writes() -> None:
    whole = extended(shared_memory=True)
    assert whole is not None
    assert whole.SerializeToString() == b"\x12\x1f\n\x08/dev/shm\x12\x13flyte-shared-memory"
    some = extended(T4, "1Gi")
    assert some is not None
    assert some.shared_memory.size_limit == "1Gi"
    assert some.gpu_accelerator == T4.to_message()


def test_without_anything_there_are_no_extended_resources() -> None:
    assert extended() is None
    assert extended(shared_memory=False) is None


def test_what_is_no_accelerator_is_refused() -> None:
    with pytest.raises(CallError, match="got str: 'T4'"):
        extended("T4")  # type: ignore[arg-type]
    with pytest.raises(CallError, match="got int: 5"):
        extended(shared_memory=5)  # type: ignore[arg-type]
