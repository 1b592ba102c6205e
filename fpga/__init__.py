"""Boards, the place-and-route flow and its figures, the host link and its driver."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dfarray.fpga.host.accelerator import Accelerator

__all__ = ["Accelerator"]


def __getattr__(name: str) -> Any:
    # The driver needs a serial port and the models' arithmetic; what builds bitstreams needs neither.
    if name == "Accelerator":
        from dfarray.fpga.host.accelerator import Accelerator

        return Accelerator
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
