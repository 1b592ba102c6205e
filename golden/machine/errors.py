"""Output sums, logits, the error of the loss, results: section 4.5."""

import numpy as np

from dfarray.golden.compilation import compiled_together
from dfarray.golden.machine.integers import clip, gram_code, kappa, rounded
from dfarray.golden.machine.lanes import hop
from dfarray.golden.machine.registers import ERROR, INFINITE, OUTPUT, TRAIN


@compiled_together
def start(s, contexts, errors):
    """The first output row of a sample that is answered: its error unit is busy until it is answered and learnt."""
    contexts[ERROR] = contexts[OUTPUT]
    s.error_busy, s.output_gram, s.result = 1, 0, 0
    s.logits_at = s.errors_at = s.results_at = INFINITE
    errors.sums[:] = 0


@compiled_together
def finish(s, p, context, errors):
    """The last gram of a sample is on its way: logits, prediction, and g."""
    classes = p.classes
    gram = gram_code(s.output_gram, p)
    corrects = context.kind == TRAIN and context.v and not context.freeze_v >> p.hidden_layers & 1
    for c in range(classes):
        less = kappa(errors.g[1 - context.parity, c], gram, p) if corrects else np.int64(0)
        exact = rounded(errors.sums[c] - less, p.logit_shift)
        errors.logits[c] = clip(exact, p.logit_lo, p.logit_hi)
        s.logit_saturations += errors.logits[c] != exact
    s.prediction = 0
    for c in range(1, classes):
        if errors.logits[c] > errors.logits[s.prediction]:
            s.prediction = c
    s.logits_at = s.cycle + hop(p) + p.tiles + p.sum + p.tree + p.readout
    last = s.logits_at + (classes - 1) * p.class_interval
    s.results_at = last + 2
    if context.kind == TRAIN:
        s.errors_at = last + p.first_error
        if p.softmax:
            _softmax(p, s.prediction, errors)
        else:
            for c in range(classes):
                errors.fresh[c] = rounded(errors.logits[c], p.logit_fraction - p.error_fraction)
        _scale(s, p, context, errors.fresh)


@compiled_together
def _softmax(p, prediction, errors):
    """Fill in p_c."""
    fraction, largest, entries = p.error_fraction, errors.logits[prediction], len(errors.exponentials)
    total = np.int64(0)
    for c in range(p.classes):
        errors.fresh[c] = errors.exponentials[min(largest - errors.logits[c], entries - 1)]
        total += errors.fresh[c]
    q = np.int64(0)
    while total >> (q + fraction + 1):
        q += 1
    r = min(fraction, np.int64(10))
    inverse = errors.reciprocals[(total >> (q + fraction - r)) - (np.int64(1) << r)]
    for c in range(p.classes):
        errors.fresh[c] = rounded(errors.fresh[c] * inverse, r + 1 + q)


@compiled_together
def _scale(s, p, context, fresh):
    """Turn p_c, or z_c, into g_c = eta e_c."""
    left = max(np.int64(0), p.delta_fraction - p.error_fraction)
    right = context.exponent + p.error_fraction - p.delta_fraction + left
    for c in range(p.classes):
        target = np.int64(1) << p.error_fraction if c == context.label else np.int64(0)
        e = clip(fresh[c] - target, p.error_lo, p.error_hi)
        exact = rounded(e * context.mantissa << left, right)
        fresh[c] = clip(exact, p.delta_lo, p.delta_hi)
        s.delta_saturations += fresh[c] != exact


@compiled_together
def _class_at(since, p):
    """The class that comes so many cycles after class 0, -1 if none does."""
    c = since // p.class_interval
    return c if since >= 0 and c < p.classes and since % p.class_interval == 0 else np.int64(-1)


@compiled_together
def step(s, p, contexts, errors, shown):
    """One cycle of the error unit: what it shows, and when it is idle again."""
    context, cycle = contexts[ERROR], s.cycle
    trains = context.kind == TRAIN
    if s.result == p.classes and (not trains or cycle > s.errors_at + (p.classes - 1) * p.class_interval):
        s.error_busy = 0
        return
    c = _class_at(cycle - s.logits_at, p)
    if c >= 0:
        shown.logit_valid, shown.logit_value = 1, errors.logits[c]
    if cycle >= s.results_at and s.result < p.classes:
        shown.results_valid, shown.results_logit = 1, errors.logits[s.result]
        shown.results_prediction, shown.results_last = s.prediction, s.result == p.classes - 1
    c = _class_at(cycle - s.errors_at, p)
    if trains and c >= 0:
        shown.error_valid, shown.error_class, shown.error_value = 1, c, errors.fresh[c]
        errors.g[context.parity, c] = errors.fresh[c]
        if c == p.classes - 1:
            errors.ready_from[context.parity] = cycle + 1
