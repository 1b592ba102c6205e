"""Documentation that follows from data stays equal to it."""

from pathlib import Path

from dfarray.configuration import load_configuration
from dfarray.register_map import register_map

DOCS = Path("docs")


def register_rows() -> list[str]:
    rows = []
    for register in register_map(load_configuration("configs/mnist.toml")):
        fields = "; ".join(
            f"{item.name} [{item.low + item.width - 1}:{item.low}]"
            + (f" {item.description}" if item.description else "")
            for item in register.fields
        )
        rows.append(f"| 0x{register.offset:02x} | {register.name} | {register.access} | {fields} |")
    return rows


def test_register_table():
    text = (DOCS / "host-interface.md").read_text()
    table = text.split("<!-- registers:")[1].split("|---|---|---|---|\n")[1].split("\n\n")[0].splitlines()
    assert table == register_rows()


def test_configuration_table_names_every_key():
    text = (DOCS / "configuration.md").read_text()
    keys = {
        f"{section}.{key}"
        for section, values in load_configuration("configs/mnist.toml")
        for key in type(values).model_fields
    }
    found = {line.split("`")[1] for line in text.splitlines() if line.startswith("| `")}
    assert found == keys


def test_readme_example_is_a_configuration(tmp_path):
    example = Path("README.md").read_text().split("```toml\n")[1].split("```")[0]
    (tmp_path / "mine.toml").write_text(example)
    assert load_configuration(tmp_path / "mine.toml").network.layers == (30, 24, 4)
