"""Files that are whole or not there, and errors that name them."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Let errors of the system name this file: one while it is written, such as of a full disk, names none."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from None


def write_atomically(path: Path, contents: bytes) -> None:
    """Write a file so that at any moment, a crash included, it has its old contents or its new ones.

    Parameters
    ----------
    path : Path
        Its directory is created if need be.
    contents : bytes
    """
    with naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, contents)


def _replace(path: Path, contents: bytes) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(contents)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp's files are the owner's alone; others get what the umask leaves them.
        mask = os.umask(0)
        os.umask(mask)
        Path(name).chmod(0o666 & ~mask)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
