"""The register map as data: the RTL, the driver and the documentation follow from it."""

from dataclasses import dataclass, field
from enum import StrEnum
from zlib import crc32

from dfarray.configuration import Configuration, Rounding
from dfarray.event_counters import EVENT_COUNTERS

MAGIC = 0xDFA0_0005
ADDRESS_BITS = 9

FIRST_COUNTER = 0x100
"""Address of the first event counter."""


class Access(StrEnum):
    """Who may do what: read and write, read only, or write strobes that read as zero."""

    READ_WRITE = "rw"
    READ_ONLY = "ro"
    STROBE = "strobe"


@dataclass(frozen=True)
class Field:
    """Bits ``low .. low + width - 1`` of a register."""

    name: str
    low: int
    width: int
    description: str
    reset: int = 0


@dataclass(frozen=True)
class Register:
    """One 32-bit register at byte address ``offset``."""

    name: str
    offset: int
    access: Access
    fields: tuple[Field, ...] = field(default_factory=tuple)

    @property
    def reset(self) -> int:
        """Value after reset."""
        return sum(f.reset << f.low for f in self.fields)

    def pack(self, **values: int) -> int:
        """The register's word from field values.

        Raises
        ------
        ValueError
            If a field is unknown or its value does not fit.
        """
        by_name = {f.name: f for f in self.fields}
        word = 0
        for name, value in values.items():
            if name not in by_name:
                raise ValueError(f"{self.name} has no field {name!r}; it has {', '.join(by_name)}")
            item = by_name[name]
            if not 0 <= value < 1 << item.width:
                raise ValueError(f"{self.name}.{name} must be 0 to {(1 << item.width) - 1}, not {value}")
            word |= value << item.low
        return word


def configuration_crc(config: Configuration) -> int:
    """CRC-32 of the configuration: tells a host whether the hardware is the one it thinks it is."""
    return crc32(config.model_dump_json().encode())


def counter_registers() -> list[Register]:
    """The halves of every event counter."""
    found = []
    for name, description in EVENT_COUNTERS.items():
        for half, text in (("LOW", f"{description}; low half"), ("HIGH", "The high half")):
            place = FIRST_COUNTER + 4 * len(found)
            found.append(Register(f"{name}_{half}", place, Access.READ_ONLY, (Field("count", 0, 32, text),)))
    return found


def register_map(config: Configuration) -> tuple[Register, ...]:
    """Every register of an accelerator."""
    rw, ro, strobe = Access.READ_WRITE, Access.READ_ONLY, Access.STROBE
    rate, layers, rows = config.training.rate, len(config.network.layers) - 1, config.array.bank_rows
    rows_bits = rows.bit_length()
    stochastic = config.training.rounding is Rounding.STOCHASTIC
    noise = (config.training.seed or 1) if stochastic else 0
    return (
        Register("ID", 0x00, ro, (Field("id", 0, 32, "Magic number and version of this map", MAGIC),)),
        Register(
            "CONFIGURATION",
            0x04,
            ro,
            (Field("crc", 0, 32, "CRC-32 of the configuration it was generated from", configuration_crc(config)),),
        ),
        Register(
            "CONTROL",
            0x08,
            rw,
            (
                Field("train", 0, 1, "Samples train (1) or are only inferred (0)", 1),
                Field("events", 1, 1, "Samples come as events (index, value) (1) or dense (0)"),
            ),
        ),
        Register(
            "COMMAND",
            0x0C,
            strobe,
            (
                Field("flush", 0, 1, "Apply the pending update now"),
                Field("load", 1, 1, "Write ROW_COUNT rows from weights_in (flushes first)"),
                Field("dump", 2, 1, "Read ROW_COUNT rows to weights_out (flushes first)"),
            ),
        ),
        Register(
            "STATUS",
            0x10,
            ro,
            (
                Field("busy", 0, 1, "A sample or command is waiting or under way"),
                Field("pending", 1, 1, "An update is not yet in the weights"),
                Field("refused", 2, 1, "The last load or dump was refused: rows outside the bank"),
            ),
        ),
        Register(
            "LEARNING_RATE",
            0x14,
            rw,
            (
                Field("mantissa", 0, 8, "eta = mantissa * 2**-exponent", rate.mantissa),
                Field("exponent", 8, 5, "", rate.exponent),
            ),
        ),
        Register("FREEZE", 0x18, rw, (Field("layers", 0, layers, "Bit l-1 set: layer l does not learn"),)),
        Register(
            "SEED",
            0x1C,
            # With nearest rounding there is nothing that it would be kept for.
            rw if stochastic else strobe,
            (
                Field(
                    "seed",
                    0,
                    32,
                    "Writing restarts the rounding noise (flushes first); reads 0 where rounding is to nearest",
                    config.training.seed if stochastic else 0,
                ),
            ),
        ),
        Register("ROW_FIRST", 0x20, rw, (Field("row", 0, rows_bits, "First row of load and dump"),)),
        Register(
            "ROW_COUNT",
            0x24,
            rw,
            (
                Field(
                    "rows",
                    0,
                    rows_bits,
                    "Rows of load and dump, which take both when they begin: not to be written while one waits",
                    config.bank_rows_used,
                ),
            ),
        ),
        Register(
            "NOISE", 0x28, ro, (Field("state", 0, 32, "State of the rounding noise; 0 if rounding is nearest", noise),)
        ),
        *counter_registers(),
    )
