"""Wrong configurations."""

from bad_input.case import Case, configured, written

_GENERATE = "generate net.toml -o out"


def _key(message: str, **changes: str | None) -> Case:
    shown = "; ".join(
        f"`{key.replace('__', '.')}` missing" if value is None else f"`{key.replace('__', '.')} = {value}`"
        for key, value in changes.items()
    )
    return Case(shown, _GENERATE, message, prepare=configured(**changes))


CASES = [
    Case(
        "no such file", "generate nothing.toml -o out", "error: nothing.toml: cannot be read: No such file or directory"
    ),
    Case("a directory", "generate . -o out", "error: .: cannot be read: Is a directory"),
    Case(
        "not TOML",
        _GENERATE,
        "error: net.toml: not a TOML file: Expected ']' at the end of a table declaration (at line 1, column 9)",
        prepare=written("net.toml", "[network\n"),
    ),
    Case(
        "a key given twice",
        _GENERATE,
        "error: net.toml: not a TOML file: Cannot overwrite a value (at line 3, column 13)",
        prepare=written("net.toml", "[network]\nlayers = [1]\nlayers = [2]\n"),
    ),
    Case(
        "not text",
        _GENERATE,
        "error: net.toml: not a TOML file: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte",
        prepare=written("net.toml", b"\xff\xfe\x00"),
    ),
    Case(
        "an empty file",
        _GENERATE,
        "error: net.toml: network: missing, and it has no default net.toml: array: missing, and it has no default",
        prepare=written("net.toml", ""),
    ),
    Case(
        "a section that is a value",
        _GENERATE,
        "error: net.toml: network = 3: must be a section, [network] net.toml: array = 4: must be a section, [array]",
        prepare=written("net.toml", "network = 3\narray = 4\n"),
    ),
    _key("error: net.toml: network: missing, and it has no default", network=None),
    _key("error: net.toml: array: missing, and it has no default", array=None),
    _key("error: net.toml: network.layers: missing, and it has no default", network__layers=None),
    _key("error: net.toml: array.tiles: missing, and it has no default", array__tiles=None),
    _key("error: net.toml: array.lanes: missing, and it has no default", array__lanes=None),
    _key(
        "error: net.toml: network.depth = 3: unknown key; known are layers, activation, error, initial_weights",
        network__depth="3",
    ),
    _key(
        "error: net.toml: memory = {'banks': 3}: unknown key; known are network, array, formats, feedback, training",
        memory__banks="3",
    ),
    _key("error: net.toml: network.layers = 784: must be a list, such as [784, 150, 10]", network__layers="784"),
    _key(
        "error: net.toml: network.layers = [6, 3]: must be inputs, at least one hidden layer, and classes",
        network__layers="[6, 3]",
    ),
    _key(
        "error: net.toml: network.layers.1 = 0: input should be greater than or equal to 1", network__layers="[6, 0, 3]"
    ),
    _key(
        "error: net.toml: network.layers.1 = 'many': input should be a valid integer, unable to parse string as an integer",
        network__layers='[6, "many", 3]',
    ),
    _key(
        "error: net.toml: network.layers.1 = 8.5: input should be a valid integer, got a number with a fractional part",
        network__layers="[6, 8.5, 3]",
    ),
    _key(
        "error: net.toml: network.layers.1 = 70000: input should be less than or equal to 65536",
        network__layers="[6, 70000, 3]",
    ),
    _key("error: net.toml: network.layers ends in 1 classes; 2 to 4096 are allowed", network__layers="[6, 8, 1]"),
    _key("error: net.toml: network.layers ends in 5000 classes; 2 to 4096 are allowed", network__layers="[6, 8, 5000]"),
    _key(
        "error: net.toml: network.layers = [6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6]: tuple should have at most 17 items after validation, not 18",
        network__layers=str([6] * 18),
    ),
    _key(
        "error: net.toml: network.activation = 'sin': input should be 'tanh', 'hard-tanh' or 'relu'",
        network__activation='"sin"',
    ),
    _key(
        "error: net.toml: network.error = 'hinge': input should be 'softmax-cross-entropy' or 'mse'",
        network__error='"hinge"',
    ),
    _key(
        "error: net.toml: network.initial_weights = 'ones': input should be 'uniform' or 'zero'",
        network__initial_weights='"ones"',
    ),
    _key("error: net.toml: array.tiles = 0: input should be greater than or equal to 1", array__tiles="0"),
    _key("error: net.toml: array.tiles = 2000: input should be less than or equal to 1024", array__tiles="2000"),
    _key(
        "error: net.toml: array.tiles = 2.5: input should be a valid integer, got a number with a fractional part",
        array__tiles="2.5",
    ),
    _key("error: net.toml: array.lanes = 257: input should be less than or equal to 256", array__lanes="257"),
    _key(
        "error: net.toml: array.lanes = 'many': input should be a valid integer, unable to parse string as an integer",
        array__lanes='"many"',
    ),
    _key("error: net.toml: array.bank_rows = 1: input should be greater than or equal to 2", array__bank_rows="1"),
    _key(
        "error: net.toml: array.bank_rows = 8: the network 6-8-3 needs 10 rows a lane on 4 tiles of 2 lanes; use more tiles or lanes, or banks of at least 10 rows",
        array__bank_rows="8",
    ),
    _key(
        "error: net.toml: array.family = 'asic': must be one of generic, ecp5, ice40up5k, gowin", array__family='"asic"'
    ),
    _key(
        "error: net.toml: array.zero_skipping = 'often': input should be a valid boolean, unable to interpret input",
        array__zero_skipping='"often"',
    ),
    _key(
        "error: net.toml: formats.weight = '2.15': a fixed-point format is written Qm.n (m integer, n fraction bits), not '2.15'",
        formats__weight='"2.15"',
    ),
    _key(
        "error: net.toml: formats.weight = 16: a fixed-point format is a string such as 'Q2.15'", formats__weight="16"
    ),
    _key(
        "error: net.toml: formats.weight = 'Q40.15': q-format width must be 2 to 48 bits with its sign, not 56 (Q40.15)",
        formats__weight='"Q40.15"',
    ),
    _key(
        "error: net.toml: formats: activation = Q9.9: at most 16 bits are supported, not 19",
        formats__activation='"Q9.9"',
    ),
    _key(
        "error: net.toml: formats: preactivation = Q9.9: at most 13 bits, it indexes the activation table",
        formats__preactivation='"Q9.9"',
    ),
    _key(
        "error: net.toml: formats: preactivation = Q2.25: fraction bits must be at most 23, those of weight x activation",
        formats__preactivation='"Q2.25"',
    ),
    _key(
        "error: net.toml: formats: logit = Q2.12: at most 10 fraction bits, they index the exponential table",
        formats__logit='"Q2.12"',
    ),
    _key(
        "error: net.toml: formats: error = Q0.2: 0 to 8 integer and 4 to 24 fraction bits are allowed",
        formats__error='"Q0.2"',
    ),
    _key(
        "error: net.toml: formats: delta = Q0.2: delta + activation - weight fraction bits is the number of bits an update is rounded by and must be 0 to 32, not -5",
        formats__delta='"Q0.2"',
    ),
    _key(
        "error: net.toml: formats: gram = Q2.17: at most 24 bits and 16 fraction bits, twice the activation's, are supported",
        formats__gram='"Q2.17"',
    ),
    _key(
        "error: net.toml: formats.gram = 'wide': a fixed-point format is written Qm.n (m integer, n fraction bits), not 'wide' net.toml: formats.gram = 'wide': input should be 'auto'",
        formats__gram='"wide"',
    ),
    _key(
        "error: net.toml: formats: accumulator = Q4.9: fraction bits must be 23, those of weight x activation",
        formats__accumulator='"Q4.9"',
    ),
    _key(
        "error: net.toml: formats: accumulator = Q-8.23: at least the weight's 18 bits are needed, not 16",
        formats__accumulator='"Q-8.23"',
    ),
    _key(
        "error: net.toml: formats.weight = Q1.30, formats.activation = Q0.15: 9 products need an accumulator of 51 bits; at most 48 are supported, use narrower formats",
        formats__weight='"Q1.30"',
        formats__activation='"Q0.15"',
        formats__delta='"Q0.20"',
    ),
    _key(
        "error: net.toml: formats.delta = Q15.16, formats.gram = Q23.0: their product needs 70 bits at the accumulator's binary point; at most 60 are supported",
        formats__activation='"Q0.15"',
        formats__delta='"Q15.16"',
        formats__gram='"Q23.0"',
    ),
    _key(
        "error: net.toml: formats.activation = Q0.15: too wide for a fan-in of 16000",
        network__layers="[16000, 9, 3]",
        formats__activation='"Q0.15"',
        array__bank_rows="65536",
    ),
    _key("error: net.toml: feedback.nonzeros = 0: input should be greater than or equal to 1", feedback__nonzeros="0"),
    _key("error: net.toml: feedback.nonzeros = 4: 1 to 3, the classes, are allowed", feedback__nonzeros="4"),
    _key(
        "error: net.toml: feedback.scale = 0.3: must be a power of two from 2**-8 to 2**8, not 0.3",
        feedback__scale="0.3",
    ),
    _key(
        "error: net.toml: feedback.scale = -1: must be a power of two from 2**-8 to 2**8, not -1.0",
        feedback__scale="-1",
    ),
    _key("error: net.toml: feedback.seed = -1: input should be greater than or equal to 0", feedback__seed="-1"),
    _key("error: net.toml: training.learning_rate = 0: input should be greater than 0", training__learning_rate="0"),
    _key(
        "error: net.toml: training.learning_rate = 1e-12: a learning rate must be 2**-31 to 255, not 1e-12",
        training__learning_rate="1e-12",
    ),
    _key(
        "error: net.toml: training.learning_rate = 300: a learning rate must be 2**-31 to 255, not 300.0",
        training__learning_rate="300",
    ),
    _key(
        "error: net.toml: training.learning_rate = nan: input should be greater than 0", training__learning_rate="nan"
    ),
    _key(
        "error: net.toml: training.schedule = 'cosine': input should be 'constant', 'linear', 'step' or 'power-of-two'",
        training__schedule='"cosine"',
    ),
    _key("error: net.toml: training.halvings = 17: input should be less than or equal to 16", training__halvings="17"),
    _key(
        "error: net.toml: training.rounding = 'up': input should be 'nearest' or 'stochastic'",
        training__rounding='"up"',
    ),
    _key(
        "error: net.toml: training.seed = 4294967296: input should be less than 4294967296", training__seed="4294967296"
    ),
    _key("error: net.toml: training.epochs = 0: input should be greater than or equal to 1", training__epochs="0"),
    _key("error: net.toml: training.shift = 9: input should be less than or equal to 8", training__shift="9"),
    _key(
        "error: net.toml: array.tiles = 0: input should be greater than or equal to 1 net.toml: array.lanes = 0: input should be greater than or equal to 1",
        array__tiles="0",
        array__lanes="0",
    ),
    Case(
        "an iCE40's multipliers take narrower numbers",
        _GENERATE,
        "error: Multiplier operand a must be at most 16 bits wide for SB_MAC16, not 18; operands have the formats weight, activation, delta and gram",
        prepare=configured(array__family='"ice40up5k"'),
    ),
    Case(
        "image shifts of samples that are no square images",
        "train net.toml --data blobs.npz",
        "error: training.shift = 1: samples must be square images of more than 1 x 1 pixels, not 6 values",
        prepare=configured(training__shift="1"),
    ),
]
