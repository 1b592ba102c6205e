"""Run the command line as a user does."""

import subprocess
import sys


def dfarray(*arguments, cwd):
    command = [sys.executable, "-c", "from dfarray.cli import main; main()", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300)
