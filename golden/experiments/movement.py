"""Work and data movement against depth, from the shapes: nothing is trained."""

from pathlib import Path

from dfarray.costs import BACKPROPAGATION, DENSE_DFA, SPARSE_DFA, training_costs
from dfarray.golden.experiments.tables import Table

WIDTH, DEPTHS = 400, (1, 2, 3, 4, 6, 8, 12, 16)
NETWORKS = {
    **{f"784-{depth} x {WIDTH}-10": (784, *[WIDTH] * depth, 10) for depth in DEPTHS},
    "784-150-10": (784, 150, 10),
    "784-100-10": (784, 100, 10),
    "3072-1000-1000-1000-10": (3072, 1000, 1000, 1000, 10),
    "9216-4096-4096-1000 (AlexNet's head)": (9216, 4096, 4096, 1000),
    "25088-4096-4096-1000 (VGG's head)": (25088, 4096, 4096, 1000),
}


def movement() -> Table:
    """MACs, weight reads and words by network, s = 1."""
    rows = []
    for name, layers in NETWORKS.items():
        costs = training_costs(layers)
        row: dict = {"network": name, "synapses": costs[SPARSE_DFA].forward_macs}
        for rule in (BACKPROPAGATION, DENSE_DFA, SPARSE_DFA):
            row[f"projection MACs, {_short(rule)}"] = costs[rule].projection_macs
        for rule in (BACKPROPAGATION, DENSE_DFA, SPARSE_DFA):
            row[f"feedback words, point to point, {_short(rule)}"] = costs[rule].point_to_point.feedback_words
        for rule in (BACKPROPAGATION, SPARSE_DFA):
            row[f"on a bus, {_short(rule)}"] = costs[rule].broadcast.feedback_words
        bp, sparse = costs[BACKPROPAGATION], costs[SPARSE_DFA]
        row["backward MACs, BP / sparse"] = bp.backward_macs / sparse.backward_macs
        row["training MACs, BP / sparse"] = bp.training_macs / sparse.training_macs
        row["weight reads, BP / sparse, fused"] = bp.fused_weight_reads / sparse.fused_weight_reads
        row["all bits, BP / sparse, point to point"] = bp.point_to_point.bits / sparse.point_to_point.bits
        row["all bits, BP / sparse, on a bus"] = bp.broadcast.bits / sparse.broadcast.bits
        row["costs"] = {rule: cost.as_dict() for rule, cost in costs.items()}
        rows.append(row)
    note = "One training sample, batch 1, s = 1, default formats. What each column counts: docs/data-movement.md."
    return Table("Work and data movement against depth", note, rows)


def plot_movement(path: Path) -> None:
    """Draw feedback words and MACs against the number of hidden layers."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    by_depth = [training_costs((784, *[WIDTH] * depth, 10)) for depth in DEPTHS]

    def of(rule: str, figure) -> list[float]:
        return [figure(costs[rule]) for costs in by_depth]

    figure, (words, ratios) = pyplot.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    rules = ((BACKPROPAGATION, "C3"), (DENSE_DFA, "C1"), (SPARSE_DFA, "C0"))
    for rule, colour in rules:
        words.plot(
            DEPTHS,
            of(rule, lambda c: c.point_to_point.feedback_words),
            "o-",
            c=colour,
            label=f"{_short(rule)}, point to point",
        )
        words.plot(DEPTHS, of(rule, lambda c: c.broadcast.feedback_words), "--", c=colour, label=f"{_short(rule)}, bus")
    words.set(yscale="log", xlabel="hidden layers of 400", ylabel="feedback words a sample")

    def ratio(figure) -> list[float]:
        return [a / b for a, b in zip(of(BACKPROPAGATION, figure), of(SPARSE_DFA, figure), strict=True)]

    ratios.plot(DEPTHS, ratio(lambda c: c.backward_macs), "o-", label="backward MACs")
    ratios.plot(DEPTHS, ratio(lambda c: c.training_macs), "o-", label="training MACs")
    ratios.plot(DEPTHS, ratio(lambda c: c.fused_weight_reads), "o-", label="weight reads, fused")
    ratios.plot(DEPTHS, ratio(lambda c: c.point_to_point.bits), "o-", label="all bits, point to point")
    ratios.set(xlabel="hidden layers of 400", ylabel="backpropagation / sparse DFA", ylim=(1, None))
    for axis in (words, ratios):
        axis.grid(alpha=0.3)
        axis.legend(fontsize="small")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def _short(rule: str) -> str:
    return {BACKPROPAGATION: "BP", DENSE_DFA: "DFA", SPARSE_DFA: "sparse"}[rule]
