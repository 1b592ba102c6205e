"""The vectorised arithmetic against hand-computed values, exact fractions, and the specification in plain integers."""

import math
from fractions import Fraction

import numpy as np
import pytest
import specified_machine as specified
from accelerators import accelerator
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import configurations

from dfarray.configuration import Activation
from dfarray.feedback import Route
from dfarray.golden import arithmetic
from dfarray.golden.tables import activation_tables, exponential_codes
from dfarray.learning_rate import LearningRate
from dfarray.qformat import QFormat

CODES = st.integers(-(2**40), 2**40)
RATES = st.builds(LearningRate, st.integers(0, 255), st.integers(0, 31))


def softmax_network(classes=3, **formats):
    return accelerator([2, 4, classes], 2, 2, error="softmax-cross-entropy", formats=formats)


@given(st.lists(CODES, min_size=1), st.integers(0, 30))
def test_round_half_up_is_the_floor_of_a_half_more(codes, bits):
    expected = [math.floor(Fraction(v, 2**bits) + Fraction(1, 2)) for v in codes]
    assert arithmetic.round_half_up(np.array(codes), bits).tolist() == expected


@given(st.lists(CODES, min_size=1), st.integers(0, 20), st.integers(0, 20))
def test_requantize_moves_the_binary_point(codes, start, to):
    moved = arithmetic.requantize(np.array(codes), start, to).tolist()
    exact = [Fraction(v, 2**start) * 2**to for v in codes]
    assert moved == [math.floor(v + Fraction(1, 2)) for v in exact]


@given(st.lists(CODES, min_size=1), st.integers(0, 12), st.integers(1, 24))
def test_saturate_keeps_what_fits(codes, integer_bits, fraction_bits):
    limit = 2 ** (integer_bits + fraction_bits)
    expected = [v if -limit <= v < limit else (-limit if v < 0 else limit - 1) for v in codes]
    assert arithmetic.saturate(np.array(codes), QFormat(integer_bits, fraction_bits)).tolist() == expected


def test_inputs_round_half_up_and_saturate():
    x = [[-1, -0.5 / 256, 0, 0.5 / 256, 0.499 / 256, 1 - 0.6 / 256, 1]]
    codes = arithmetic.quantize_inputs(softmax_network(), x)
    assert codes.tolist() == [[-256, 0, 0, 1, 0, 255, 255]]
    assert codes.dtype == np.int16


@pytest.mark.parametrize(
    ("z", "a", "slope"),
    [
        (0, 0, 256),
        (64, 195, 107),  # tanh(1) = 0.76159: 194.97; 256 - 148.5 rounded
        (-64, -195, 107),
        (255, 255, 2),  # tanh(3.984) = 0.99931: 255.8 saturates
        (-256, -255, 2),  # |z| itself saturates first
        (1, 4, 256),  # tanh(1/64) = 0.015624: 4.0
    ],
)
def test_tanh_by_hand(z, a, slope):
    assert [int(v) for v in arithmetic.activate(softmax_network(), z)] == [a, slope]


def test_hard_tanh_and_relu_by_hand():
    hard = accelerator([2, 4, 3], 2, 2, activation="hard-tanh")
    values, slopes = arithmetic.activate(hard, [-65, -64, -63, 0, 63, 64, 255])
    assert values.tolist() == [-255, -255, -252, 0, 252, 255, 255]
    assert slopes.tolist() == [0, 0, 256, 256, 256, 0, 0]
    relu = accelerator([2, 4, 3], 2, 2, activation="relu")
    values, slopes = arithmetic.activate(relu, [-5, 0, 1, 63, 64])
    assert values.tolist() == [0, 0, 4, 252, 255]
    assert slopes.tolist() == [0, 0, 256, 256, 256]


@given(configurations())
@settings(max_examples=40, deadline=None)
def test_activation_tables_are_as_specified(config):
    fmt = config.formats.preactivation
    values, slopes = activation_tables(config)
    expected = [specified.activate(config, z) for z in range(fmt.lo, fmt.hi + 1)]
    assert list(zip(values.tolist(), slopes.tolist(), strict=True)) == expected


@pytest.mark.parametrize("activation", list(Activation))
def test_activation_is_odd_or_rectified_and_never_decreases(activation):
    values, slopes = activation_tables(accelerator([2, 4, 3], 2, 2, activation=activation))
    assert (np.diff(values) >= 0).all()
    assert ((slopes >= 0) & (slopes <= 256)).all()
    if activation is not Activation.RELU:
        assert (values[1:] == -values[1:][::-1]).all()


@pytest.mark.parametrize(("fl", "fe"), [(6, 15), (2, 6), (10, 24), (0, 4), (8, 12)])
def test_exponential_table_is_as_specified(fl, fe):
    table = exponential_codes(softmax_network(logit=f"Q4.{fl}", error=f"Q0.{fe}"))
    assert len(table) == specified.exponential_entries(fl, fe)
    assert table.tolist() == [specified.exponential_code(i, fl, fe) for i in range(len(table))]


def test_softmax_error_by_hand():
    # Two equal logits: S = 2^16, q = 1, k = 0, R = 2^22 div 2049 = 2047, p = 2^15 2047 / 2^12 = 16376.
    two = softmax_network(2)
    assert arithmetic.output_error(two, [7, 7], 0).tolist() == [16376 - 32768, 16376]
    # One logit far above: S = 2^15, q = 0, R = 2047, p = 2^15 2047 / 2^11 = 32752.
    assert arithmetic.output_error(two, [4095, -4096], 1).tolist() == [32752, -32768]


def test_mse_error_by_hand():
    config = accelerator([2, 1, 3], 3, 1, formats={"logit": "Q4.6", "error": "Q1.4"})
    # Logits lose two bits, half up; the target is 16; Q1.4 ends at -32 and 31.
    assert arithmetic.output_error(config, [6, -6, 1023], 0).tolist() == [2 - 16, -1, 31]
    assert arithmetic.output_error(config, [6, -6, 1023], 3).tolist() == [2, -1, 31]


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_output_error_is_as_specified(data):
    config = data.draw(configurations())
    fmt, classes = config.formats.logit, config.network.classes
    z = data.draw(st.lists(st.integers(fmt.lo, fmt.hi), min_size=classes, max_size=classes))
    label = data.draw(st.integers(0, classes - 1))
    assert arithmetic.output_error(config, z, label).tolist() == specified.output_error(config, z, label)


@given(st.lists(st.integers(-4096, 4095), min_size=10, max_size=10), st.integers(0, 9))
def test_softmax_error_is_close_to_the_real_one(z, label):
    """Within one part in 500: the reciprocal has ten bits, each exponential half a step of 2^-15."""
    power = np.exp((np.array(z) - max(z)) / 64)
    expected = power / power.sum() - np.eye(10)[label]
    found = arithmetic.output_error(softmax_network(10), z, label) / 2**15
    assert np.abs(found - expected).max() < 0.002


@given(st.lists(st.integers(-(2**15), 2**15 - 1), min_size=1), RATES, st.sampled_from([9, 15, 17, 22]))
def test_learning_rate_is_an_exact_product_rounded_once(e, rate, delta_fraction):
    config = softmax_network(weight="Q2.15", delta=f"Q0.{delta_fraction}")
    eta = Fraction(rate.mantissa, 2**rate.exponent)
    exact = [Fraction(v, 2**15) * eta * 2**delta_fraction for v in e]
    limit = 2**delta_fraction
    expected = [max(-limit, min(limit - 1, math.floor(v + Fraction(1, 2)))) for v in exact]
    assert arithmetic.scaled_error(config, e, rate).tolist() == expected


@pytest.mark.parametrize(
    ("scale", "expected"),
    [(1.0, 6), (4.0, 24), (0.25, 2), (0.5, 3)],  # 6 / 4 = 1.5 is rounded up
)
def test_hidden_scalar_sums_then_scales(scale, expected):
    config = softmax_network()
    config = config.model_copy(update={"feedback": config.feedback.model_copy(update={"scale": scale})})
    route = Route(slot=0, tile=0, classes=(0, 2), class_signs=(1, -1), lane_signs=(1, 1))
    assert arithmetic.hidden_scalar(config, [10, 99, 4], route) == expected
    assert arithmetic.hidden_scalar(config, [2**17 - 1, 0, -(2**17)], route) == min(2**17 - 1, int(scale * 2**18))


def test_hidden_delta_takes_the_sign_after_rounding():
    config = softmax_network()
    # 3 * 128 / 256 = 1.5 is rounded up to 2, and then negated: not -1.
    assert arithmetic.hidden_delta(config, 3, np.array([128, 128]), np.array([1, -1])).tolist() == [2, -2]
    assert arithmetic.hidden_delta(config, -(2**17), 256, -1) == 2**17 - 1


def test_update_rounds_and_saturates_by_hand():
    config = softmax_network()  # drops 17 + 8 - 15 = 10 bits
    w, delta, x = np.array([100, 100, 100, -131072, 131071]), np.array([2, -2, 3, 512, -512]), 256
    # 0.5 and -0.5 are rounded up to 1 and 0; 0.75 to 1; one step beyond either end saturates.
    assert arithmetic.update_weights(config, w, delta, x).tolist() == [99, 100, 99, -131072, 131071]
    assert arithmetic.update_weights(config, w[:3], delta[:3], x, noise=np.array([511, 512, 256])).tolist() == [
        100,
        100,
        99,
    ]


@given(st.lists(st.lists(st.integers(-(2**20), 2**20), min_size=2, max_size=2), min_size=1, max_size=30))
def test_accumulator_saturates_at_every_addition(products):
    narrow = softmax_network(weight="Q0.10", activation="Q0.9", accumulator="Q0.19", delta="Q0.11")
    exact = softmax_network(weight="Q0.10", activation="Q0.9", delta="Q0.11")
    sums, totals = [0, 0], [0, 0]
    for row in products:
        sums = [max(-(2**19), min(2**19 - 1, a + v)) for a, v in zip(sums, row, strict=True)]
        totals = [a + v for a, v in zip(totals, row, strict=True)]
    assert arithmetic.accumulate(narrow, products).tolist() == sums
    assert arithmetic.accumulate(exact, products).tolist() == totals


def test_gram_and_correction_round_and_saturate_by_hand():
    config = softmax_network(gram="Q1.10")  # a gram loses 6 bits, delta x gram 17 + 10 - 23 = 4
    assert arithmetic.gram(config, np.array([31, 32, -32, -33, 2**17 - 1, -(2**18)])).tolist() == [
        0,
        1,
        0,
        -1,
        2047,
        -2048,
    ]
    assert arithmetic.correction(config, [8, 7, -8, -9], 1).tolist() == [1, 0, 0, -1]
    coarse = softmax_network(gram="Q5.2")  # now 4 bits are missing
    assert arithmetic.correction(coarse, [3, -3], 2).tolist() == [96, -96]


def test_preactivations_and_logits_drop_bits_and_saturate():
    config = softmax_network()  # 23 fraction bits to 6: 17 bits dropped
    sums = np.array([0, 65535, 65536, -65536, -65537, 2**40, -(2**40)])
    assert arithmetic.preactivations(config, sums).tolist() == [0, 0, 1, 0, -1, 255, -256]
    assert arithmetic.logits(config, sums).tolist() == [0, 0, 1, 0, -1, 4095, -4096]
