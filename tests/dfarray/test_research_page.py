"""The example of docs/research.md runs and learns."""

from pathlib import Path

from dfarray.golden.datasets import load_dataset


def test_example():
    example = Path("docs/research.md").read_text().split("```python\n")[1].split("```")[0]
    digits = load_dataset("digits")
    names = {"x": digits.train_x, "labels": digits.train_y}
    exec(example, names)
    learner = names["learner"]
    for _ in range(10):
        learner.train(digits.train_x, digits.train_y, rate=0.1, batch=32)  # pyright: ignore[reportAttributeAccessIssue]
    assert learner.accuracy(digits.test_x, digits.test_y) > 0.9  # pyright: ignore[reportAttributeAccessIssue]
