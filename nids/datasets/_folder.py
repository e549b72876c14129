"""Finding a data set's official files in a folder."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Sequence
from pathlib import Path

from nids.datasets._recognise import recognise, recognise_name
from nids.errors import InputError


def open_folder(path: Path, title: str, names: Sequence[str]) -> Path:
    """`path`, known to be a folder.

    Raises:
        InputError: it is a file or nothing; says which files a folder should hold.
    """
    wanted = f"Expected a folder with {' and '.join(names)} ({title}; plain or .gz)"
    if path.is_file():
        raise InputError(f"{wanted}. Received: the file {path}{_hint(_look(path), title)}")
    if not path.is_dir():
        raise InputError(f"{wanted}. Received: {path}, where there is nothing")
    return path


def find_file(folder: Path, name: str) -> Path | None:
    """The file `name`, plain or else gzipped, in a folder; None where there is neither.

    The plain file wins where both are there: it is the one a person unpacked and looked at.
    """
    for candidate in (folder / name, folder / f"{name}.gz"):
        if candidate.exists():
            return candidate
    return None


def missing_file(folder: Path, title: str, names: Sequence[str]) -> InputError:
    """The error for a folder without the files `names`; says what is there instead."""
    present = sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith("."))
    shown = ", ".join(present[:6]) + (f" and {len(present) - 6} more" if len(present) > 6 else "")
    found = next((title for title in map(recognise_name, present) if title), None)
    return InputError(
        f"Expected {' or '.join(names)} (plain or .gz) of {title} in {folder}. "
        f"Received: {f'a folder with {shown}' if present else 'an empty folder'}{_hint(found, title)}"
    )


def _hint(found: str | None, title: str) -> str:
    return f" (it looks like {found})" if found and not title.startswith(found) else ""


def _look(path: Path) -> str | None:
    """The data set a file seems to belong to, by its name or its first line."""
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            line = file.readline(65536).decode("utf-8-sig", errors="replace").rstrip("\r\n")
    except (OSError, EOFError, zlib.error):
        line = ""
    return recognise_name(path.name) or recognise(line.split(","))
