"""Samples survive their packing, whatever the layout, and frames their encoding."""

import numpy as np
import pytest
from accelerators import accelerator
from hypothesis import given
from hypothesis import strategies as st

from dfarray.fpga.host.frames import Frame, Reply, ReplyReader
from dfarray.fpga.host.samples import (
    PIXEL_BITS,
    choose_layout,
    payload,
    pixel_codes,
    sample_frames,
    suitable_layouts,
)
from dfarray.fpga.link.protocol import Command, Format, SampleFlag
from dfarray.line import FRAME_BYTES, sample_line_bytes

CONFIG = accelerator([700, 4, 3], 4, 1)


def unpack(config, data, layout):
    """What the protocol's description says of a payload, byte by byte: {index: code}."""
    found, index, place = {}, 0, 0
    while place < len(data):
        if layout.events:
            index += data[place]
            place += 1
        if layout in PIXEL_BITS:
            bits = PIXEL_BITS[layout]
            for shift in range(0, 8, bits):
                pixel = data[place] >> shift & ((1 << bits) - 1)
                repeated = f"{pixel:0{bits}b}" * 8
                if index < config.network.inputs:
                    found[index] = int(repeated[: config.formats.activation.fraction_bits], 2)
                index += 1
            place += 1
            continue
        size = 2 if layout.wide else 1
        found[index] = int.from_bytes(data[place : place + size], "little", signed=layout.wide)
        index, place = index + 1, place + size
    return found


@pytest.mark.parametrize("layout", Format)
@given(seed=st.integers(0, 1000), density=st.sampled_from([0.0, 0.01, 0.3, 1.0]))
def test_every_layout_carries_what_it_was_given(layout, seed, density):
    rng, n = np.random.default_rng(seed), CONFIG.network.inputs
    if layout in PIXEL_BITS:
        x = rng.choice(pixel_codes(CONFIG, layout), n)
    else:
        x = rng.integers(-256 if layout.wide else 0, 256, n)
    x = np.where(rng.random(n) < density, x, 0).astype(np.int16)
    if layout in suitable_layouts(CONFIG, x[None]):
        got = unpack(CONFIG, payload(CONFIG, x, layout), layout)
        assert [got.get(i, 0) for i in range(n)] == x.tolist()


def test_pixels_of_few_bits_are_used_where_they_lose_nothing():
    black_and_white = np.array([[0, 255] * 350], dtype=np.int16)
    assert choose_layout(CONFIG, black_and_white) is Format.BITS_1
    grey = black_and_white.copy()
    grey[0, 1] = 0x55
    assert choose_layout(CONFIG, grey) is Format.BITS_2
    grey[0, 1] = 0x56
    assert choose_layout(CONFIG, grey) is Format.BITS_8
    assert choose_layout(CONFIG, grey, events=True) is Format.EVENTS_8
    grey[0, 1] = -1
    assert choose_layout(CONFIG, grey, events=False) is Format.BITS_16
    assert choose_layout(CONFIG, grey) is Format.EVENTS_16, "three bytes an event of every second input"


def test_a_sample_is_cut_into_frames_of_which_the_last_one_ends_it():
    x = np.arange(700).astype(np.int16) % 256
    frames = list(sample_frames(CONFIG, x, 2, Format.BITS_8, answer=True))
    assert [len(frame.payload) for frame in frames] == [247, 247, 206]
    assert {frame.command & 7 for frame in frames} == {Command.SAMPLE}
    flags = [frame.command & (SampleFlag.LAST | SampleFlag.ANSWER) for frame in frames]
    assert flags == [0, 0, SampleFlag.LAST | SampleFlag.ANSWER]
    assert b"".join(frame.payload for frame in frames) == payload(CONFIG, x, Format.BITS_8)
    # With COBS' byte and delimiter it is as many bytes as the estimate counts.
    assert sum(len(frame.encoded(0)) for frame in frames) == sample_line_bytes(CONFIG, 700) == 700 + 3 * FRAME_BYTES


@given(st.lists(st.binary(max_size=60), max_size=8), st.integers(0, 255))
def test_replies_are_found_in_any_bytes(noises, number):
    reader, found = ReplyReader(), []
    encoded = Frame(0x11, 0x00, b"\x00abc\x00").encoded(number)
    for noise in noises:
        found += reader.feed(noise + b"\x00" + encoded)
    wanted = Reply(bytes([number, 0x11, 0x00]) + b"\x00ab", ord("c"), 0)
    assert found.count(wanted) == len(noises)
