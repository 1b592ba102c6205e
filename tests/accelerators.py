"""Small accelerators for tests."""

from dfarray.configuration import Configuration, parse_configuration


def accelerator(
    layers,
    tiles,
    lanes,
    *,
    nonzeros=1,
    rounding="nearest",
    activation="tanh",
    error="mse",
    formats=None,
    zero_skipping=True,
    family="generic",
) -> Configuration:
    return parse_configuration(
        {
            "network": {"layers": layers, "activation": activation, "error": error},
            "array": {
                "tiles": tiles,
                "lanes": lanes,
                "bank_rows": 1024,
                "zero_skipping": zero_skipping,
                "family": family,
            },
            "formats": formats or {},
            "feedback": {"nonzeros": nonzeros},
            "training": {"learning_rate": 0.2, "rounding": rounding},
        }
    )
