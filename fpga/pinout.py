"""Pins of a board: where a port goes, and how its buffer is set up."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from amaranth.build import Attrs, Resource


@dataclass(frozen=True)
class Pin:
    """Where a port of the top level goes.

    Attributes
    ----------
    site : str
        Ball or pin of the package.
    attributes : mapping of str to str
        Of the buffer, by the names of the vendor's tools: ``IO_TYPE``, ``PULLMODE``, …
    active_low : bool
        Whether the light is on, or the button pressed, at 0.
    """

    site: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    active_low: bool = False


def platform_pins(platform: Any) -> dict[str, Pin]:
    """The pins that a platform of amaranth-boards has for the ports of a board's top.

    Parameters
    ----------
    platform : platform class

    Returns
    -------
    dict of port to Pin: ``clk``; ``uart_rx`` and ``uart_tx`` (board receives, board sends), if it has a serial port;
    ``button``, the first one or else the reset; ``leds[0]``, ``leds[1]``, …
    """
    resources = {(resource.name, resource.number): resource for resource in platform.resources}
    pins = {"clk": _only(resources[platform.default_clk, 0])}
    if ("uart", 0) in resources:
        lines = dict(_leaves(resources["uart", 0]))
        pins |= {"uart_rx": lines["rx"], "uart_tx": lines["tx"]}
    pressed = next((resources[name, 0] for name in ("button", "rst") if (name, 0) in resources), None)
    if pressed is not None:
        pins["button"] = _only(pressed)
    lights = [
        pin
        for name in ("led", "rgb_led")
        for resource in platform.resources
        if resource.name == name
        for _, pin in _leaves(resource)
    ]
    return pins | leds(lights)


def placed(ports: Mapping[str, int], pins: Mapping[str, Pin]) -> dict[str, Pin]:
    """Pins of a top's ports, bit by bit, as the tools name them.

    Parameters
    ----------
    ports : mapping of name to width
    pins : mapping of port to Pin
        A board's; a bit that it has no pin for is left out.
    """
    found = {}
    for name, width in ports.items():
        for bit in range(width):
            pin = pins.get(f"{name}[{bit}]", pins.get(name) if width == 1 else None)
            if pin is not None:
                found[name if width == 1 else f"{name}[{bit}]"] = pin
    return found


def platform_mhz(platform: Any) -> float:
    """Frequency of a platform's oscillator."""
    resource = next(item for item in platform.resources if item.name == platform.default_clk)
    return resource.clock.frequency / 1e6


def leds(pins: list[Pin]) -> dict[str, Pin]:
    """Lights by the bits of the port ``leds``."""
    return {f"leds[{bit}]": pin for bit, pin in enumerate(pins)}


def _only(resource: Resource) -> Pin:
    (_, pin), *_ = _leaves(resource)
    return pin


def _leaves(resource: Any, inherited: Mapping[str, str] | None = None, name: str = "") -> Iterator[tuple[str, Pin]]:
    attributes = {**(inherited or {}), **_texts(resource.attrs)}
    for item in resource.ios:
        if hasattr(item, "ios"):
            yield from _leaves(item, attributes, item.name)
        else:
            yield name, Pin(item.names[0], attributes, active_low=item.invert)


def _texts(attributes: Attrs) -> dict[str, str]:
    return {name: str(value) for name, value in attributes.items()}
