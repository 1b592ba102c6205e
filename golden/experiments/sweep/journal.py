"""The journal of a sweep: one JSON line a finished point, on disk before the next is counted."""

import csv
import json
import os
from pathlib import Path

from dfarray.golden.experiments.sweep.axes import Point


class Journal:
    """Finished points of a result file.

    Parameters
    ----------
    results : Path
        A .csv or .parquet file; the journal lies beside it, named ``….journal``.

    Raises
    ------
    ValueError
        If the file has another suffix or a line of the journal is damaged.
    """

    def __init__(self, results: Path):
        if results.suffix not in (".csv", ".parquet"):
            raise ValueError(f"{results}: results are written as .csv or .parquet, not {results.suffix or 'this'}")
        self.results = results
        self.path = results.with_name(results.name + ".journal")
        self._records: dict[str, dict] = {}
        if self.path.exists():
            self._load()

    def _load(self) -> None:
        data = self.path.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        if len(whole) < len(data):
            # Killed while writing: that point was never counted.
            os.truncate(self.path, len(whole))
        for number, line in enumerate(whole.splitlines(), 1):
            try:
                record = json.loads(line)
                self._records[record["point"]] = record
            except (ValueError, KeyError, TypeError):
                raise ValueError(
                    f"{self.path}, line {number}: not a sweep's journal; move it away to start anew"
                ) from None

    def finished(self, point: Point, *, failed_too: bool = True) -> bool:
        """Whether a point needs no more work; a failed one does if it is to be tried again."""
        record = self._records.get(point.identity)
        return record is not None and (failed_too or record["status"] == "done")

    def add(self, point: Point, outcome: dict) -> None:
        """Write a finished point to disk."""
        record = {"point": point.identity, "data": point.data, "samples": point.samples, **point.values, **outcome}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab") as file:
            file.write(json.dumps(record).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self._records[point.identity] = record

    def export(self) -> None:
        """Write the result file anew, whole or not at all."""
        rows = list(self._records.values())
        columns = list(dict.fromkeys(name for row in rows for name in row))
        scratch = self.results.with_name(f".{self.results.name}.tmp")
        scratch.parent.mkdir(parents=True, exist_ok=True)
        if self.results.suffix == ".csv":
            with scratch.open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, columns)
                writer.writeheader()
                writer.writerows(rows)
        else:
            _write_parquet(scratch, rows, columns)
        os.replace(scratch, self.results)


def _write_parquet(path: Path, rows: list[dict], columns: list[str]) -> None:
    import pyarrow
    from pyarrow import parquet

    arrays = {}
    for name in columns:
        values = [row.get(name) for row in rows]
        kinds = {type(value) for value in values} - {type(None)}
        if len(kinds) > 1 and not kinds <= {int, float}:
            values = [None if value is None else str(value) for value in values]
        arrays[name] = values
    parquet.write_table(pyarrow.table(arrays), path)
