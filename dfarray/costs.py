"""Work and data movement of one training sample, by learning rule and on this array, from the shapes alone.

U synapses (weights without biases), W weights (with biases), U' synapses beyond the first layer, H hidden neurons,
C classes, s nonzeros a row of the feedback matrix. What is counted and why: docs/data-movement.md.
"""

from dataclasses import dataclass
from itertools import pairwise

from dfarray.configuration import Configuration, Formats

BACKPROPAGATION, DENSE_DFA, SPARSE_DFA = "backpropagation", "dense_dfa", "sparse_dfa"


@dataclass(frozen=True)
class Traffic:
    """Words that cross neuron boundaries for one training sample.

    Attributes
    ----------
    activations, errors, weights : int
        Words forward; errors and deltas; weights, or products with them, that backpropagation moves.
    feedback_bits : int
        Bits of errors and weights together: what the learning rule adds to inference.
    bits : int
        Of all words.
    """

    activations: int
    errors: int
    weights: int
    feedback_bits: int
    bits: int

    @property
    def feedback_words(self) -> int:
        """Words the learning rule adds to inference."""
        return self.errors + self.weights


@dataclass(frozen=True)
class Costs:
    """One training sample by one rule, batch 1.

    Attributes
    ----------
    forward_macs, update_macs : int
        U each, for every rule.
    projection_macs : int
        To bring the error to the hidden neurons.
    weight_reads, weight_writes : int
        Words, if forward, projection and update each sweep the weights on their own.
    fused_weight_reads : int
        Words, if sweeps that can share a read do: backpropagation's projection and update; DFA's update with the
        next sample's forward sweep.
    feedback_reads : int
        Stored feedback weights read; feedback of +-2^k needs none, it is wired.
    point_to_point, broadcast : Traffic
        A word for every receiver; a word on a bus that all receivers hear at once.
    """

    forward_macs: int
    update_macs: int
    projection_macs: int
    weight_reads: int
    weight_writes: int
    fused_weight_reads: int
    feedback_reads: int
    point_to_point: Traffic
    broadcast: Traffic

    @property
    def training_macs(self) -> int:
        """All of them."""
        return self.forward_macs + self.backward_macs

    @property
    def backward_macs(self) -> int:
        """Projection and update."""
        return self.projection_macs + self.update_macs

    def as_dict(self) -> dict:
        """Everything, for JSON."""
        figures: dict = {name: value for name, value in vars(self).items() if isinstance(value, int)}
        figures |= {"backward_macs": self.backward_macs, "training_macs": self.training_macs}
        for name in ("point_to_point", "broadcast"):
            traffic: Traffic = getattr(self, name)
            figures[name] = vars(traffic) | {"feedback_words": traffic.feedback_words}
        return figures


def training_costs(layers: tuple[int, ...], nonzeros: int = 1, formats: Formats | None = None) -> dict[str, Costs]:
    """Costs of one training sample.

    Parameters
    ----------
    layers : tuple of int
        Widths n_0 .. n_L.
    nonzeros : int
        s of sparse DFA.
    formats : Formats or None
        Widths of words in bits; None for the default formats.

    Returns
    -------
    dict : ``backpropagation``, ``dense_dfa`` and ``sparse_dfa``.

    Raises
    ------
    ValueError
        If there are fewer than two layers, a width is not positive, or s is not 1 to C.
    """
    if len(layers) < 2 or min(layers) < 1:
        raise ValueError(f"layers must be two or more positive widths, not {layers}")
    classes, hidden = layers[-1], sum(layers[1:-1])
    if not 1 <= nonzeros <= classes:
        raise ValueError(f"nonzeros must be 1 to {classes}, the classes, not {nonzeros}")
    formats = formats or Formats()
    synapses = sum(n * m for n, m in pairwise(layers))
    later = synapses - layers[0] * layers[1]
    weights = synapses + sum(layers[1:])

    def traffic(activations: int, errors: int, moved_weights: int) -> Traffic:
        feedback = errors * formats.delta.width + moved_weights * formats.weight.width
        return Traffic(activations, errors, moved_weights, feedback, feedback + activations * formats.activation.width)

    def direct(heard: int) -> Costs:
        return Costs(
            forward_macs=synapses,
            update_macs=synapses,
            projection_macs=heard * hidden,
            weight_reads=2 * weights,
            weight_writes=weights,
            fused_weight_reads=weights,
            feedback_reads=heard * hidden,
            point_to_point=traffic(synapses, heard * hidden, 0),
            broadcast=traffic(sum(layers[:-1]), classes if hidden else 0, 0),
        )

    backpropagation = Costs(
        forward_macs=synapses,
        update_macs=synapses,
        projection_macs=later,
        weight_reads=2 * weights + later,
        weight_writes=weights,
        fused_weight_reads=2 * weights,
        feedback_reads=0,
        point_to_point=traffic(synapses, later, later),
        # Every delta is heard by all neurons of the layer below, every weight or product by one of them.
        broadcast=traffic(sum(layers[:-1]), sum(layers[2:]), later),
    )
    return {BACKPROPAGATION: backpropagation, DENSE_DFA: direct(classes), SPARSE_DFA: direct(nonzeros)}


@dataclass(frozen=True)
class ArrayCosts:
    """One sample of a steady stream of training samples on this array, all of whose rows are sent.

    Attributes
    ----------
    forward_macs, update_macs : int
        On synapses; biases are not counted.
    weight_reads, weight_writes : int
        Of lanes that hold a neuron, the bias tile's among them.
    packets : int
        Broadcast: hidden layers' rows, each with both samples' activation; for each slot an ACTIVATE with the gram; for
        each group of output weights a row a class and a GRAM.
    returned : int
        Words on the return chain: activations of hidden layers that another hidden layer needs.
    output_sums : int
        Words that leave the chain of output sums: of each group one a class, and the gram.
    scalars : int
        SCALAR words on the feedback chain: for every tile and hidden pass two, whatever s, first for the correction of
        the next sample's sums, then for the update.
    scalar_bit_hops : int
        Bits of those words, counted once for every tile they reach on their way.
    output_scalars : int
        g_c words in OUT_FUSED packets, which all tiles hear: one for each row of output weights.
    """

    forward_macs: int
    update_macs: int
    weight_reads: int
    weight_writes: int
    packets: int
    returned: int
    output_sums: int
    scalars: int
    scalar_bit_hops: int
    output_scalars: int


def array_costs(config: Configuration) -> ArrayCosts:
    """Costs of one training sample on the configured array."""
    network, passes, groups = config.network, config.passes, len(config.output_groups)
    weights = network.synapses + sum(network.layers[1:])
    told = [tile for item in passes for tile in range(item.active_tiles)]
    output_sums = groups * (network.classes + 1)
    return ArrayCosts(
        forward_macs=network.synapses,
        update_macs=network.synapses,
        weight_reads=weights,
        weight_writes=weights,
        packets=sum(item.rows for item in passes) + len(passes) + output_sums,
        returned=sum(network.layers[1:-2]),
        output_sums=output_sums,
        scalars=2 * len(told),
        scalar_bit_hops=2 * sum(tile + 1 for tile in told) * config.formats.delta.width,
        output_scalars=groups * network.classes,
    )
