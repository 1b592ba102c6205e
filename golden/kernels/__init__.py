"""Compiled loops of the integer model. Integers only; every step is one line of docs/architecture.md section 2.

All weights are one flat int32 array: hidden layer after hidden layer, each (1 + fan_in, columns) with the bias first;
then the output layer as the machine has it, (classes, columns) of the neurons it comes from; then the output biases.
The inner loops run over the neurons of one row, in memory order, so the compiler vectorises them. Columns are the
neurons, each pass padded to an even number of them and the last up to whole vectors; the padding's weights, deltas and
activations are zero and stay so. ``work`` is the integer type of products and updates: np.int32 where the formats prove
that nothing overflows, else np.int64.
"""
