"""The quickest proofs of `make formal`, and that every mutant of all of them has its place."""

import pytest
from formal.__main__ import all_proofs
from formal.runner import missing_tools, prove

PROOFS = all_proofs()


def test_every_mutant_has_its_place():
    for _, proof in PROOFS:
        assert proof.mutants, f"{proof.title}: a proof that no mutant can fail says nothing"
        for edit in proof.mutants:
            assert edit.apply()


def test_every_bounded_proof_says_why():
    assert [proof.title for _, proof in PROOFS if proof.method != "induction" and not proof.why] == []


@pytest.mark.tools
@pytest.mark.parametrize(
    ("group", "proof"), [pytest.param(group, proof, id=proof.title) for group, proof in PROOFS if proof.quick]
)
def test_proof_holds(group, proof, tmp_path):
    if missing := missing_tools():
        pytest.skip(f"{', '.join(missing)} not installed")
    outcome = prove(group, proof, tmp_path)
    assert outcome.holds, outcome.steps
