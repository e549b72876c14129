"""Which folders of a served model are versions: the one rule of what publishes them and what serves them."""

from __future__ import annotations

import os
import re
from pathlib import Path

from nids.errors import StoreError

LARGEST = 2**63 - 1
"""Servers hold a version in an int64."""

_NUMBER = re.compile(r"[1-9][0-9]{0,18}")


def is_number(name: str) -> bool:
    """Whether `name` is a version number as its server would write it: no sign, no zero in front, no other digits."""
    return _NUMBER.fullmatch(name) is not None and int(name) <= LARGEST


def version_numbers(folder: Path) -> list[int]:
    """Numbers of the versions in the folder of a model, ascending; none where there is no folder.

    Raises:
        StoreError: the folder cannot be read.
    """
    try:
        names = [entry.name for entry in os.scandir(folder) if entry.is_dir()]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StoreError(f"Expected a model store that can be read at {folder}. Received: {error.strerror}") from error
    return sorted(int(name) for name in names if is_number(name))
