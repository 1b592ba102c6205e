"""``python -m mutants.replay JOB``, in tests/: a recorded trace against the golden cycle model of these sources."""

import json
import sys
from pathlib import Path

import dfarray
from dfarray.sim.job import Job
from dfarray.sim.scoreboard import MismatchError, TraceScoreboard
from dfarray.sim.trace_file import TraceReader, layout_of


def main() -> None:
    """Print the first difference as JSON."""
    here = Path(__file__).parents[2]
    assert here in Path(dfarray.__file__).parents, f"{dfarray.__file__} is not of {here}"
    job = Job.load(Path(sys.argv[1]) / "job.json")
    layout = layout_of(job.manifest)
    scoreboard, found = TraceScoreboard(job.config, job.weights, layout), {"fault": ""}
    try:
        for records in TraceReader(job.trace_path, layout).chunks(4096):
            scoreboard.follow(records)
        scoreboard.finish()
    except MismatchError as error:
        first = error.first
        found = {
            "fault": str(first),
            "signal": first.signal,
            "cycle": first.cycle,
            "tile": first.tile,
            "lane": first.lane,
        }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
