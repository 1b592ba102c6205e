"""The table, and ``python -m bad_input.page``, in tests/, which writes it to docs/errors.md."""

from pathlib import Path

from bad_input import arguments, configuration, data, files, tools

PAGE = Path(__file__).parents[2] / "docs" / "errors.md"

TABLE = [
    ("Configuration", configuration.CASES),
    ("Data", data.CASES),
    ("Arguments", arguments.CASES),
    ("Files", files.CASES),
    ("Tools and boards", tools.CASES),
]

_HEAD = """\
# What is said when something is wrong

One message on standard error, never a traceback, and an exit code: 2 if the user can mend it, 1 if a check failed, 130
after Ctrl-C. `net.toml` and `blobs.npz` are a configuration and a data set of 6 inputs and 3 classes that are right but
for what the first column says; `…` stands for what differs from machine to machine. tests/test_bad_input.py runs every
line; the page is written by `cd tests && PYTHONPATH=.. ../.venv/bin/python -m bad_input.page`.
"""


def page() -> str:
    """docs/errors.md."""
    lines = [_HEAD]
    for title, cases in TABLE:
        lines += [f"## {title}", "| wrong | command | message | code |", "|---|---|---|---|"]
        for case in cases:
            cells = (case.title, f"`dfarray {case.command}`", case.message, str(case.code))
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
