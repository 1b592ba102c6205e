"""Random accelerators: small enough to simulate in seconds, of every shape the configuration allows."""

import numpy as np
from hypothesis import strategies as st

from dfarray.configuration import Configuration, parse_configuration
from dfarray.learning_rate import LearningRate
from dfarray.qformat import QFormat

WIDEST_OPERAND = {"ecp5": 18, "gowin": 18, "ice40up5k": 16}
"""Bits of a family's multiplier operands, and of its memories' words."""


@st.composite
def configurations(draw, max_classes: int = 12, families: tuple[str, ...] = ("generic",)) -> Configuration:
    """Any network of one to three hidden layers on any small array, in any formats that the family's blocks take."""
    classes = draw(st.integers(2, 4) | st.integers(2, max_classes))
    hidden = draw(st.lists(st.integers(1, 9), min_size=1, max_size=3))
    layers = [draw(st.integers(1, 10)), *hidden, classes]
    weight_fraction = draw(st.integers(6, 15))
    activation_fraction = draw(st.integers(3, 9))
    update_shift = draw(st.integers(0, 16))
    delta_fraction = max(0, weight_fraction + update_shift - activation_fraction)
    preactivation_fraction = draw(st.integers(2, 7))
    table = {
        "network": {
            "layers": layers,
            "activation": draw(st.sampled_from(["tanh", "hard-tanh", "relu"])),
            "error": draw(st.sampled_from(["softmax-cross-entropy", "mse"])),
        },
        "array": {
            "tiles": draw(st.integers(1, 6)),
            "lanes": draw(st.integers(1, 4)),
            "bank_rows": 1024,
            "zero_skipping": draw(st.booleans()),
            "family": (family := draw(st.sampled_from(families))),
        },
        "formats": {
            "weight": f"Q{draw(st.integers(0, 3))}.{weight_fraction}",
            "activation": f"Q{draw(st.integers(0, 2))}.{activation_fraction}",
            "preactivation": f"Q{draw(st.integers(1, 4))}.{preactivation_fraction}",
            "logit": f"Q{draw(st.integers(1, 5))}.{draw(st.integers(2, 8))}",
            "error": f"Q{draw(st.integers(0, 1))}.{draw(st.integers(6, 16))}",
            "delta": f"Q{draw(st.integers(-4, 1))}.{delta_fraction}",
        },
        "feedback": {
            "nonzeros": draw(st.sampled_from([1, classes]) | st.integers(1, classes)),
            "scale": 2.0 ** draw(st.just(0) | st.integers(-3, 3)),
            "seed": draw(st.integers(0, 1000)),
        },
        "training": {
            "learning_rate": draw(st.sampled_from([1.0, 0.3, 0.05, 0.004])),
            "rounding": draw(st.sampled_from(["nearest", "stochastic"])),
            "seed": draw(st.integers(0, 1000)),
        },
    }
    if draw(st.booleans()):
        fraction = weight_fraction + activation_fraction
        table["formats"]["accumulator"] = f"Q{draw(st.integers(2, 5))}.{fraction}"
    if draw(st.booleans()):
        # From grams that saturate to ones that lose most of their bits.
        table["formats"]["gram"] = f"Q{draw(st.integers(-2, 8))}.{draw(st.integers(3, 2 * activation_fraction))}"
    try:
        if family in WIDEST_OPERAND:
            _narrow(table["formats"], WIDEST_OPERAND[family])
        return parse_configuration(table)
    except ValueError:
        # Only combinations of formats can be refused here; these are always allowed.
        table["formats"] = {"weight": "Q2.13", "delta": "Q-4.19", "gram": "Q4.11"} if family in WIDEST_OPERAND else {}
        return parse_configuration(table)


def _narrow(formats: dict[str, str], width: int) -> None:
    """Lessen the integer bits of what is multiplied until it has no more than ``width`` bits."""
    # "auto" takes up to 18 bits.
    formats.setdefault("gram", f"Q4.{min(11, 2 * QFormat.parse(formats['activation']).fraction_bits)}")
    for name in ("weight", "delta", "gram"):
        fmt = QFormat.parse(formats[name])
        formats[name] = str(QFormat(min(fmt.integer_bits, width - 1 - fmt.fraction_bits), fmt.fraction_bits))


def stimulus(config: Configuration, samples: int, seed: int) -> tuple[np.ndarray, np.ndarray, LearningRate]:
    """Activation codes with zeros and extremes among them, labels, and a learning rate."""
    rng = np.random.default_rng(seed)
    fmt = config.formats.activation
    x = rng.integers(fmt.lo, fmt.hi + 1, (samples, config.network.inputs))
    x[rng.random(x.shape) < 0.3] = 0
    x[rng.random(x.shape) < 0.1] = fmt.hi
    labels = rng.integers(0, config.network.classes, samples)
    return x.astype(np.int16), labels, LearningRate(int(rng.integers(0, 256)), int(rng.integers(0, 14)))
