"""What the kernels compute on: the configuration as plain integers, tables, and what stays from sample to sample."""

from typing import NamedTuple

import numpy as np

# Columns of the hidden layers' table. SOURCE, FIRST and DELTAS are where the layer's presynaptic activations, neurons
# and deltas start among those of all layers; ROWS likewise its row lists; BASE is the first pass's first bank row, PASS
# the neurons of a full pass, WIDTH the columns.
FAN_IN, NEURONS, WEIGHTS, SOURCE, ROWS, FIRST, BASE, PASS, WIDTH, DELTAS = range(10)

VECTOR = 16
"""Neurons that the padding rounds up to."""

BLOCK = 4
"""Rows summed at once, so that partial sums are read and written a quarter as often."""


class Parameters(NamedTuple):
    """The configuration as plain integers.

    ``output_weights`` and ``output_biases`` are where those begin, ``output_base`` is the first one's bank row,
    ``bias_noise`` the bias tile's entry of the noise table.
    """

    one: int
    update_shift: int
    stochastic: int
    weight_lo: int
    weight_hi: int
    saturates: int
    accumulator_lo: int
    accumulator_hi: int
    exact_terms: int
    z_shift: int
    z_lo: int
    z_hi: int
    logit_shift: int
    logit_lo: int
    logit_hi: int
    logit_fraction: int
    softmax: int
    error_fraction: int
    error_lo: int
    error_hi: int
    delta_fraction: int
    delta_lo: int
    delta_hi: int
    log2_scale: int
    activation_fraction: int
    gram_shift: int
    gram_lo: int
    gram_hi: int
    correction_shift: int
    output_weights: int
    output_biases: int
    output_base: int
    bias_noise: int


class Tables(NamedTuple):
    """Look-up tables; see :mod:`dfarray.golden.tables` and :func:`dfarray.golden.noise.bit_tables`.

    ``columns`` are those of all hidden neurons, layer after layer, each counted from its layer's first.
    """

    columns: np.ndarray
    values: np.ndarray
    slopes: np.ndarray
    exponentials: np.ndarray
    reciprocals: np.ndarray
    noise: np.ndarray


class FeedbackTables(NamedTuple):
    """Routes (routes, s) and, of every hidden neuron, its route and its sign."""

    classes: np.ndarray
    class_signs: np.ndarray
    route: np.ndarray
    sign: np.ndarray


class Pending(NamedTuple):
    """The latest sample's update, which is not yet applied; without one all deltas are zero.

    The presynaptic activations of every layer, the deltas of all columns of hidden layers, and those of the classes.
    Deltas of layers that were frozen are zero.
    """

    activations: np.ndarray
    deltas: np.ndarray
    output_deltas: np.ndarray


class Workspace(NamedTuple):
    """Room to compute in.

    Of every hidden layer, from ROWS on, the weight rows that matter to the pending sample, their inputs, and how many;
    the same of one layer and the present sample; of the last hidden layer's columns the activations of both; of hidden
    neurons f and f'; of one layer's columns sums, in ``work`` and in 64 bits, and rounding bits.
    """

    pending_rows: np.ndarray
    pending_values: np.ndarray
    pending_counts: np.ndarray
    rows: np.ndarray
    values: np.ndarray
    pending_outputs: np.ndarray
    outputs: np.ndarray
    activations: np.ndarray
    slopes: np.ndarray
    partial: np.ndarray
    totals: np.ndarray
    noise: np.ndarray
