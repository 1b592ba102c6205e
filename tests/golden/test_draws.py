"""First weights and feedback matrices."""

import numpy as np
import pytest

from dfarray.golden.draws import Draw, Start, feedback_of, first_weights, sparse_feedback
from dfarray.golden.rules import Rule


def rng():
    return np.random.default_rng(1)


@pytest.mark.parametrize("draw", Draw)
@pytest.mark.parametrize("nonzeros", [1, 3, 10])
def test_rows_have_s_nonzeros_and_values_their_range(draw, nonzeros):
    b = sparse_feedback(draw, 400, 10, nonzeros, 10, 0.5, rng())
    assert (np.count_nonzero(b, axis=1) == nonzeros).all()
    found = np.abs(b[b != 0])
    if draw is Draw.BALANCED:
        assert (found == 0.5).all()
        assert (np.count_nonzero(b, axis=0) == 400 * nonzeros // 10).all()
    else:
        limit = 0.5 * (10 * nonzeros) ** 0.25 / 20
        assert 0.98 * limit < found.max() <= limit
        assert abs(found.mean() - limit / 2) < 0.05 * limit
    assert abs(np.sign(b).sum()) < 4 * np.sqrt(400 * nonzeros)


def test_balance_is_by_one_where_classes_do_not_divide():
    fed = np.count_nonzero(sparse_feedback(Draw.BALANCED, 23, 7, 2, 7, 1.0, rng()), axis=0)
    assert sorted(set(fed)) == [6, 7]
    assert fed.sum() == 46


@pytest.mark.parametrize("rank", [1, 3, 10])
def test_rank_is_the_classes_heard(rank):
    b = sparse_feedback(Draw.PAPER, 100, 10, 1, rank, 1.0, rng())
    assert np.linalg.matrix_rank(b) == rank
    assert np.count_nonzero(b.any(axis=0)) == rank


@pytest.mark.parametrize(
    ("nonzeros", "rank", "message"),
    [(1, 11, "rank must be 1 to 10"), (0, 10, "nonzeros must be 1 to 10"), (4, 3, "nonzeros must be 1 to 3")],
)
def test_what_cannot_be_drawn_is_refused(nonzeros, rank, message):
    with pytest.raises(ValueError, match=message):
        sparse_feedback(Draw.BALANCED, 100, 10, nonzeros, rank, 1.0, rng())


def test_first_weights():
    layers = (50, 40, 10)
    for start, limits in ((Start.ZERO, (0, 0)), (Start.GLOROT, (90, 50)), (Start.FAN_IN, (50, 40))):
        weights = first_weights(start, layers, rng())
        assert [w.shape for w in weights] == [(40, 51), (10, 41)]
        for weight, limit in zip(weights, limits, strict=True):
            assert (weight[:, 0] == 0).all()
            largest = np.sqrt((6 if start is Start.GLOROT else 1) / limit) if limit else 0
            assert 0.95 * largest <= np.abs(weight).max() <= largest


def test_every_rule_gets_what_it_needs():
    layers = (8, 7, 6, 5)
    shapes = {rule: [b.shape for b in feedback_of(rule, layers, rng())] for rule in Rule}
    assert shapes[Rule.BACKPROPAGATION] == []
    assert shapes[Rule.FEEDBACK_ALIGNMENT] == [(6, 7), (5, 6)]
    for rule in (Rule.DFA, Rule.SPARSE_DFA, Rule.DRTP, Rule.SIGN_DFA):
        assert shapes[rule] == [(7, 5), (6, 5)]
    counts = {rule: np.count_nonzero(feedback_of(rule, layers, rng(), nonzeros=2)[0]) for rule in Rule if rule.direct}
    assert counts == {Rule.DFA: 35, Rule.SPARSE_DFA: 14, Rule.DRTP: 35, Rule.SIGN_DFA: 35}
