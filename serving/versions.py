"""The versions of one model: found in a folder, loaded, served, unloaded.

    START -> LOADING -> AVAILABLE -> UNLOADING -> END
                \\-> END with the error

The states are TensorFlow Serving's, and so is the order: a new version is available before an old one goes, requests
in flight end on the version they began with, and a version that cannot be loaded leaves the others as they are.
Everything here runs on the event loop; only reading folders, loading and closing happen in a thread.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Collection
from concurrent.futures import Executor
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from nids.errors import NotFoundError
from serving.status import Code, code_of, message_of

log = logging.getLogger(__name__)

# The file that TensorFlow Serving and this server take as the sign that a version is there.
_MARK = "saved_model.pb"

_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")
_MAX_NUMBER = 2**63 - 1  # a version is an int64 in every message

Policy = Callable[[Collection[int]], set[int]]
"""Chooses the versions to serve from those found."""


class Closeable(Protocol):
    """What a loaded version must offer here."""

    def close(self) -> None:
        """Free it; nobody uses it any more."""


Loaded = TypeVar("Loaded", bound=Closeable)
_T = TypeVar("_T")


class State(IntEnum):
    """States of a version; the numbers are those of `get_model_status.proto`."""

    START = 10
    LOADING = 20
    AVAILABLE = 30
    UNLOADING = 40
    END = 50


@dataclass(frozen=True, slots=True)
class VersionStatus:
    """State of one version, with the error where it could not be loaded."""

    version: int
    state: State
    code: Code = Code.OK
    message: str = ""


class Lease(Generic[Loaded]):
    """The right to use a loaded version until `release`, which keeps it from being closed."""

    def __init__(self, version: int, model: Loaded) -> None:
        self.version = version
        self.model = model
        self.users = 0
        self.idle = asyncio.Event()
        self.idle.set()

    def acquire(self) -> None:
        self.users += 1
        self.idle.clear()

    def release(self) -> None:
        self.users -= 1
        if self.users == 0:
            self.idle.set()


def latest(number: int = 1) -> Policy:
    """Serve the `number` highest versions."""
    return lambda versions: set(sorted(versions)[-number:])


def find_versions(base_path: Path) -> dict[int, Path] | None:
    """Folders `<base_path>/<number>` that hold a saved model, by number; None where `base_path` cannot be read.

    A number is an int64 in its one usual spelling: `01` is no version, nor is one of twenty digits.
    """
    try:
        folders = sorted(entry for entry in base_path.iterdir() if _NUMBER.fullmatch(entry.name))
    except OSError:
        return None
    found = {int(folder.name): folder for folder in folders if (folder / _MARK).is_file()}
    return {number: folder for number, folder in found.items() if number <= _MAX_NUMBER}


class ModelVersions(Generic[Loaded]):
    """One model by name.

    Args:
        name: its name for clients.
        base_path: folder of its versions.
        load: from a version's folder to something that can be closed; runs in `threads`.
        threads: where loading and closing happen; one thread is enough.
        policy: which of the versions found are served.
    """

    def __init__(
        self,
        name: str,
        base_path: Path,
        load: Callable[[Path], Loaded],
        threads: Executor,
        policy: Policy | None = None,
    ) -> None:
        self.name = name
        self.base_path = base_path
        self._load = load
        self._threads = threads
        self._policy = policy or latest()
        self._statuses: dict[int, VersionStatus] = {}
        self._serving: dict[int, Lease[Loaded]] = {}
        self._failed: dict[int, object] = {}
        self._unloading: dict[asyncio.Task[None], Lease[Loaded]] = {}
        self._hinted = False

    def statuses(self, version: int | None = None) -> list[VersionStatus]:
        """Status of one version or of all seen so far, the newest first.

        Raises:
            NotFoundError: the version, or any version at all, has not been seen.
        """
        if version is not None:
            if version not in self._statuses:
                raise NotFoundError(f"Could not find version {version} of model {self.name}")
            return [self._statuses[version]]
        if not self._statuses:
            raise NotFoundError(f"Could not find any versions of model {self.name}")
        return [self._statuses[number] for number in sorted(self._statuses, reverse=True)]

    def acquire(self, version: int | None = None) -> Lease[Loaded]:
        """A lease, to be released, on a version or on the latest one available.

        Raises:
            NotFoundError: it is not available.
        """
        number = max(self._serving, default=None) if version is None else version
        lease = self._serving.get(number) if number is not None else None
        if lease is None:
            request = f"Latest({self.name})" if version is None else f"Specific({self.name}, {version})"
            raise NotFoundError(f"Servable not found for request: {request}")
        lease.acquire()
        return lease

    async def poll(self) -> None:
        """Look at the folder once: load what is new, and once all of that is there unload what is no longer wanted."""
        found = await self._in_thread(find_versions, self.base_path)
        if not found:
            self._hint(found is None)
        if found is None:  # a store that is away for a while takes nothing down
            return
        wanted = self._policy(found)
        for version in sorted(wanted - self._serving.keys()):
            await self._try(version, found[version])
        if wanted <= self._serving.keys():
            for version in self._serving.keys() - wanted:
                self._retire(version)

    async def close(self, grace: float | None = None) -> None:
        """Unload every version, each after its last request.

        Args:
            grace: seconds after which versions are closed with requests in flight; None to wait for all.
        """
        for version in list(self._serving):
            self._retire(version)
        if not self._unloading:
            return
        await asyncio.wait(self._unloading, timeout=grace)
        for lease in self._unloading.values():
            if lease.users:
                log.warning("Closing version %d with %d requests in flight", lease.version, lease.users)
            lease.idle.set()
        await asyncio.gather(*self._unloading)

    async def _try(self, version: int, path: Path) -> None:
        # A failed version is tried again when its files have changed: it may have been seen half copied.
        files = await self._in_thread(_files, path)
        if self._failed.get(version) == files:
            return
        self._set(VersionStatus(version, State.START))
        self._set(VersionStatus(version, State.LOADING))
        try:
            model = await self._in_thread(self._load, path)
        except Exception as error:  # whatever a model does, the server and the other versions live on
            self._failed[version] = files
            self._set(VersionStatus(version, State.END, code_of(error), message_of(error)))
            return
        self._failed.pop(version, None)
        self._serving[version] = Lease(version, model)
        self._set(VersionStatus(version, State.AVAILABLE))

    def _retire(self, version: int) -> None:
        self._set(VersionStatus(version, State.UNLOADING))
        lease = self._serving.pop(version)
        task = asyncio.create_task(self._unload(lease))
        self._unloading[task] = lease
        task.add_done_callback(self._unloading.pop)

    async def _unload(self, lease: Lease[Loaded]) -> None:
        await lease.idle.wait()
        ended = VersionStatus(lease.version, State.END)
        try:
            await self._in_thread(lease.model.close)
        except Exception as error:
            ended = VersionStatus(lease.version, State.END, code_of(error), message_of(error))
        if lease.version not in self._serving:  # it may have been wanted again meanwhile
            self._set(ended)

    def _set(self, status: VersionStatus) -> None:
        self._statuses[status.version] = status
        if status.state is State.START:
            return
        reason = f" ({status.code.name}: {status.message.splitlines()[0]})" if status.message else ""
        level = logging.ERROR if status.message else logging.INFO
        log.log(level, "Version %d of %s: %s%s", status.version, self.name, status.state.name, reason)

    def _hint(self, missing: bool) -> None:
        if not self._hinted and not self._serving:
            reason = "there is no such folder" if missing else "it holds no version yet"
            log.warning("Waiting for %s/<version>/%s: %s.", self.base_path, _MARK, reason)
        self._hinted = True

    async def _in_thread(self, function: Callable[..., _T], *args: object) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *args)


def _files(path: Path) -> object:
    try:
        files = [(p.as_posix(), p.stat()) for p in sorted(path.rglob("*")) if p.is_file()]
    except OSError:
        return None
    return [(name, stat.st_size, stat.st_mtime_ns) for name, stat in files]
