"""Wrong arguments."""

from bad_input.case import Case, configured

_COSIM = "cosim net.toml --data blobs.npz"
_TRAIN = "train net.toml --data blobs.npz"

CASES = [
    Case("no such command", "trian net.toml", "No such command 'trian'. Did you mean 'train'?"),
    Case(
        "no such option", "train net.toml --date blobs.npz", "No such option: --date (Possible options: --data, --save)"
    ),
    Case("an argument is missing", "generate -o out", "Missing argument 'CONFIG'."),
    Case("an option is missing", "train net.toml", "Missing option '--data'."),
    Case("an option's value is missing", "train net.toml --data", "Error Option '--data' requires an argument."),
    Case(
        "no such engine",
        f"{_TRAIN} --engine gpu",
        "Invalid value for '--engine': Value error, 'gpu' is not one of 'golden', 'rtl', 'board'.",
    ),
    Case(
        "no such mode",
        f"{_COSIM} --mode guess",
        "Invalid value for '--mode': Value error, 'guess' is not one of 'trace', 'signature'.",
    ),
    Case(
        "no such simulator",
        f"{_COSIM} --simulator modelsim",
        "Invalid value for '--simulator': Value error, 'modelsim' is not one of 'verilator', 'icarus', 'cxxrtl'.",
    ),
    Case(
        "no such kind of input",
        f"{_COSIM} --input sparse",
        "Invalid value for '--input': Value error, 'sparse' is not one of 'dense', 'events'.",
    ),
    Case(
        "a number that is none",
        f"{_TRAIN} --epochs many",
        "Invalid value for '--epochs': Input should be a valid integer, unable to parse string as an integer",
    ),
    Case(
        "no epochs", f"{_TRAIN} --epochs 0", "Invalid value for '--epochs': Input should be greater than or equal to 1"
    ),
    Case(
        "no samples",
        f"{_TRAIN} --samples 0",
        "Invalid value for '--samples': Input should be greater than or equal to 1",
    ),
    Case(
        "more samples than there are",
        f"{_COSIM} --samples 900",
        "error: --samples 900: blobs.npz has 24 training samples",
    ),
    Case(
        "more stalls than cycles",
        f"{_COSIM} --stalls 91",
        "Invalid value for '--stalls': Input should be less than or equal to 90",
    ),
    Case(
        "checkpoints after no samples",
        f"{_TRAIN} --checkpoint-every 0",
        "Invalid value for '--checkpoint-every': Input should be greater than or equal to 1",
    ),
    Case(
        "--engine board without a port",
        f"{_TRAIN} --engine board",
        "error: --engine board needs --port, the board's serial port",
    ),
    Case(
        "no such board",
        "estimate net.toml --board arty",
        "error: board must be one of ulx3s-85f, icebreaker, orangecrab-85f, ecpix5-85f, colorlight-i9, tangnano20k, tangnano9k, not 'arty'",
    ),
    Case(
        "no such board",
        "build net.toml --board arty -o out",
        "error: board must be one of ulx3s-85f, icebreaker, orangecrab-85f, ecpix5-85f, colorlight-i9, tangnano20k, tangnano9k, not 'arty'",
    ),
    Case(
        "a clock that the board cannot make",
        "build net.toml --board icebreaker -o out --mhz 1000000",
        "…error: 1e+06 MHz: the PLL of icebreaker comes no closer than 528 MHz",
    ),
    Case(
        "no clock", "estimate net.toml --mhz 0", "Invalid value for '--mhz': Input should be greater than or equal to 1"
    ),
    Case(
        "zeros counted that the array does not skip",
        "estimate net.toml --data blobs.npz",
        "error: --data: array.zero_skipping = false, so every sample takes as long as a dense one",
        prepare=configured(array__zero_skipping="false"),
    ),
    Case(
        "no such comparison",
        "paper everything",
        "Invalid value for 'comparison': Value error, 'everything' is not one of 'accuracy', 'sparsity', 'precision', 'angle', 'movement', 'transfer', 'convolution'.",
    ),
    Case(
        "a comparison that is not made on this data",
        "paper accuracy --data cifar-9",
        "error: Accuracy by learning rule uses the data sets digits, mnist, fashion-mnist, not 'cifar-9'",
    ),
    Case(
        "neither a configuration nor widths",
        "costs wide",
        "error: NETWORK must be a .toml file or widths such as 784-150-10, not 'wide'",
    ),
    Case("widths of nothing", "costs 784-0-10", "error: layers must be two or more positive widths, not (784, 0, 10)"),
    Case(
        "more nonzeros than classes",
        "costs 784-150-10 --nonzeros 11",
        "error: nonzeros must be 1 to 10, the classes, not 11",
    ),
    Case(
        "no such key to vary",
        "sweep net.toml --data blobs.npz -s depth=[1]",
        "error: -s depth=[1]: key=values is wanted, the key one of seed, network.layers, network.activation, network.error, network.initial_weights, array.tiles, array.lanes, array.bank_rows, array.family, array.zero_skipping, formats.weight, formats.activation, formats.preactivation, formats.logit, formats.error, formats.delta, formats.gram, formats.accumulator, feedback.nonzeros, feedback.scale, feedback.seed, training.learning_rate, training.schedule, training.halvings, training.rounding, training.seed, training.epochs, training.shift",
    ),
    Case(
        "values that are none",
        "sweep net.toml --data blobs.npz -s training.seed=a..b",
        "error: -s training.seed=a..b: values are [a, b, …], 1..5, lin:start:stop:count or log:start:stop:count, not 'a..b'",
    ),
    Case(
        "no values",
        "sweep net.toml --data blobs.npz -s training.seed=[]",
        "error: -s training.seed=[]: at least one value is needed",
    ),
    Case(
        "a key varied twice",
        "sweep net.toml --data blobs.npz -s seed=1 -s training.seed=2",
        "error: seed sets training.seed and feedback.seed; vary it or them, not both",
    ),
    Case(
        "results of another kind",
        "sweep net.toml --data blobs.npz -s seed=1 -o out.xls",
        "error: out.xls: results are written as .csv or .parquet, not .xls",
    ),
    Case("both targets", "flash out --sram --flash", "error: --sram and --flash: choose one"),
]
