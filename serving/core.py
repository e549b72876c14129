"""The protocol-free server: models by name, predict, status, metadata. gRPC and REST only translate."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nids.errors import InputError, NotFoundError
from serving.saved_model import SavedModel
from serving.signature import Signature, check_inputs, choose_outputs
from serving.status import BusyError
from serving.tensors import Array, to_array
from serving.versions import Lease, ModelVersions, VersionStatus
from serving.warmup import has_warmup, warmup_records

log = logging.getLogger(__name__)

LARGE = 2**16
"""Bytes of a request whose reading and answering would keep others waiting on the event loop: a thread does it."""


@dataclass(frozen=True, slots=True)
class ModelRef:
    """Which model a request means: the latest version where neither version nor label is given."""

    name: str
    version: int | None = None
    label: str = ""


@dataclass(frozen=True, slots=True)
class Prediction:
    """Outputs by alias, with the version and signature that computed them."""

    outputs: dict[str, Array]
    version: int
    signature: str


class Core:
    """Serves models until `stop`. All methods belong to one event loop.

    Args:
        models: base path by model name.
        poll_seconds: time between two looks at the base paths; 0 looks once, as in TensorFlow Serving.
        threads: number of signature calls that run at a time.
        max_requests: number of calls that run or wait for a thread; more are refused.
        warmup: replay the warm-up requests of a version before it becomes available.
        session: options of `SavedModel`.
    """

    def __init__(
        self,
        models: Mapping[str, str | Path],
        *,
        poll_seconds: float = 1.0,
        threads: int = 4,
        max_requests: int = 1000,
        warmup: bool = True,
        **session: int,
    ) -> None:
        self._poll_seconds = poll_seconds
        self._warmup = warmup
        self._session = session
        self._max_requests = max(max_requests, threads)
        self._requests = 0
        self._running = ThreadPoolExecutor(threads, thread_name_prefix="predict")
        self._loading = ThreadPoolExecutor(1, thread_name_prefix="load")
        self._models = {
            name: ModelVersions(name, Path(path), self._load, self._loading) for name, path in models.items()
        }
        self._polling: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look for versions; does not wait for any."""
        self._polling = asyncio.create_task(self._poll())

    async def stop(self, grace: float = 0.0) -> None:
        """Unload everything, for use when no more requests come.

        Args:
            grace: seconds for what runs in a model; it is cancelled then. What waits for a thread is dropped at once.
        """
        self._running.shutdown(wait=False, cancel_futures=True)
        if self._polling is not None:
            self._polling.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._polling
        await asyncio.gather(*(model.close(grace) for model in self._models.values()))
        self._running.shutdown()
        self._loading.shutdown(cancel_futures=True)

    async def predict(
        self,
        ref: ModelRef,
        inputs: Mapping[str, Array],
        signature_name: str = "",
        output_filter: Sequence[str] = (),
    ) -> Prediction:
        """Run a signature.

        Args:
            ref: the model.
            inputs: array by alias; strings as object arrays of bytes.
            signature_name: empty for the default signature.
            output_filter: aliases of the outputs to compute, empty for all.

        Raises:
            NotFoundError: no such model or version is available.
            PreconditionError: no such signature.
            InputError: a missing, extra or unfit input, which is named; an unknown output.
            BusyError: too many requests wait already.
            tf.errors.OpError: what the graph itself reports.
        """
        if self._requests >= self._max_requests:
            raise BusyError(f"Expected less than {self._max_requests} requests to run or wait. Try again later.")
        lease = self._acquire(ref)
        try:
            signature = lease.model.signature(signature_name)
            arrays = check_inputs(signature, inputs)
            outputs = choose_outputs(signature, output_filter)
            running = self._running.submit(lease.model.run, signature, arrays, outputs)
        except BaseException:
            lease.release()
            raise
        self._requests += 1
        # The lease ends with the thread's work, which outlives a client that has gone.
        end = functools.partial(asyncio.get_running_loop().call_soon_threadsafe, self._end, lease)
        running.add_done_callback(lambda _: end())
        # Where the client goes while its request waits for a thread, the request is not computed at all.
        return Prediction(await asyncio.wrap_future(running), lease.version, signature.name)

    def statuses(self, ref: ModelRef) -> list[VersionStatus]:
        """Status of the versions seen, the newest first, or of the one asked for. Raises NotFoundError."""
        model = self._models.get(ref.name)
        if model is None:
            what = "any versions" if ref.version is None else f"version {ref.version}"
            raise NotFoundError(f"Could not find {what} of model {ref.name}")
        return model.statuses(ref.version)

    def signature(self, ref: ModelRef, name: str = "") -> Signature:
        """One signature of an available version. Raises as `predict` does."""
        lease = self._acquire(ref)
        try:
            return lease.model.signature(name)
        finally:
            lease.release()

    def metadata(self, ref: ModelRef) -> tuple[int, Mapping[str, Any]]:
        """An available version and its SignatureDefs by name. Raises as `predict` does."""
        lease = self._acquire(ref)
        try:
            return lease.version, lease.model.signature_defs
        finally:
            lease.release()

    def _acquire(self, ref: ModelRef) -> Lease[SavedModel]:
        if not ref.name:
            raise InputError("ModelSpec has no name specified.")
        if ref.label:
            raise InputError(f"Unrecognized servable version label: {ref.label}")
        model = self._models.get(ref.name)
        if model is None:
            request = f"Latest({ref.name})" if ref.version is None else f"Specific({ref.name}, {ref.version})"
            raise NotFoundError(f"Servable not found for request: {request}")
        return model.acquire(ref.version)

    def _end(self, lease: Lease[SavedModel]) -> None:
        self._requests -= 1
        lease.release()

    def _load(self, path: Path) -> SavedModel:
        model = SavedModel(path, **self._session)
        if self._warmup:
            try:
                _replay(model, path)
            except BaseException:
                model.close()
                raise
        return model

    async def _poll(self) -> None:
        while True:
            for model in self._models.values():
                try:
                    await model.poll()
                except Exception:
                    log.exception("Looking for versions of %s failed; it will be tried again", model.name)
            if self._poll_seconds <= 0:
                return
            await asyncio.sleep(self._poll_seconds)


def _replay(model: SavedModel, path: Path) -> None:
    if not has_warmup(path):
        return
    for record in warmup_records(path):
        if record.WhichOneof("log_type") != "predict_log":
            log.warning("Skipped a warm-up record of %s: only Predict requests are replayed", path)
            continue
        request = record.predict_log.request
        signature = model.signature(request.model_spec.signature_name)
        arrays = check_inputs(signature, {alias: to_array(proto, alias) for alias, proto in request.inputs.items()})
        model.run(signature, arrays, choose_outputs(signature, request.output_filter))
