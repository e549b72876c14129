"""Keep TensorFlow's chatter about processors and libraries off the terminal, and nothing else."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator


@contextlib.contextmanager
def quiet_tensorflow() -> Iterator[None]:
    """Import TensorFlow inside: what it writes to standard error while doing so shows only where the block fails.

    TensorFlow's C++ libraries write to the file descriptor before `TF_CPP_MIN_LOG_LEVEL` has any effect.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    sys.stderr.flush()
    terminal = os.dup(2)
    with tempfile.TemporaryFile() as chatter:
        try:
            os.dup2(chatter.fileno(), 2)
            yield
        except BaseException:
            chatter.seek(0)
            os.write(terminal, chatter.read())
            raise
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)
