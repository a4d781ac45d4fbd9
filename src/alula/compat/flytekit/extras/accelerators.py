"""Devices: Alula's own."""

from alula.compat.names import mirror

__getattr__, __dir__ = mirror(
    __name__,
    {
        "alula.sdk.accelerators": "BaseAccelerator GPUAccelerator MultiInstanceGPUAccelerator A10G L4 L4_VWS L40S K80 "
        "M60 P4 P100 T4 V100 H100 H200 RTX_PRO_6000 A100 A100_80GB V5E V5P V6E"
    },
)
