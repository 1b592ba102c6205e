"""Learning rules: what each neuron is told about its error.

Every rule trains the output layer by the true gradient and a hidden layer by ``delta_l = t_l * f'(a_l)``; they differ
in the teaching signal t_l only. With e = softmax(z) - y of shape (samples, C) and y one-hot:

=====================  =======================================  =====================================================
rule                   t_l                                      source
=====================  =======================================  =====================================================
backpropagation        delta_{l+1} W_{l+1}                      Rumelhart, Hinton, Williams 1986
feedback-alignment     delta_{l+1} R_{l+1}, R fixed, random     Lillicrap et al. 2016, doi 10.1038/ncomms13276
dfa                    e B_l^T, B fixed, dense                  Nokland 2016, arXiv 1609.01596
sparse-dfa             e B_l^T, s nonzeros in a row of B        Crafton et al. 2019, doi 10.3389/fnins.2019.00525
drtp                   -y B_l^T, the target stands for -e       Frenkel et al. 2021, doi 10.3389/fnins.2021.629892
sign-dfa               sign(e) B_l^T                            Refinetti et al. 2021 call it error-sign based DFA
=====================  =======================================  =====================================================
"""

from enum import StrEnum

import numpy as np


class Rule(StrEnum):
    """How the hidden layers are told their error."""

    BACKPROPAGATION = "backpropagation"
    FEEDBACK_ALIGNMENT = "feedback-alignment"
    DFA = "dfa"
    SPARSE_DFA = "sparse-dfa"
    DRTP = "drtp"
    SIGN_DFA = "sign-dfa"

    @property
    def direct(self) -> bool:
        """Whether every hidden layer hears the output error, or the target, itself."""
        return self not in (Rule.BACKPROPAGATION, Rule.FEEDBACK_ALIGNMENT)


def hidden_deltas(
    rule: Rule,
    error: np.ndarray,
    targets: np.ndarray,
    slopes: list[np.ndarray],
    weights: list[np.ndarray],
    feedback: list[np.ndarray],
) -> list[np.ndarray]:
    """Deltas of every hidden layer.

    Parameters
    ----------
    rule : Rule
    error : array (samples, C)
        e of the output layer.
    targets : array (samples, C)
        One-hot y.
    slopes : list of arrays (samples, n_l)
        f' of the hidden layers.
    weights : list of arrays (n_l, 1 + n_{l-1})
        Of all layers, column 0 the bias; only backpropagation reads them.
    feedback : list of arrays
        Direct rules: B_l (n_l, C) of every hidden layer. Feedback alignment: R_{l+1} (n_{l+1}, n_l) of every hidden
        layer. Backpropagation reads none.

    Returns
    -------
    list of arrays (samples, n_l)
    """
    if rule.direct:
        told = {Rule.DRTP: -targets, Rule.SIGN_DFA: np.sign(error)}.get(rule, error)
        return [told @ matrix.T * slope for matrix, slope in zip(feedback, slopes, strict=True)]
    backwards = feedback if rule is Rule.FEEDBACK_ALIGNMENT else [layer[:, 1:] for layer in weights[1:]]
    deltas, above = [], error
    for matrix, slope in zip(reversed(backwards), reversed(slopes), strict=True):
        above = above @ matrix * slope
        deltas.insert(0, above)
    return deltas
