"""A seeded simulator of network traffic: labelled flow records as Zeek's conn.log would hold them.

A small company with workstations, servers, devices, administrators and the world outside, by day and by night; about
nine flows in ten are benign. Attacks come in episodes over the whole period, from outside and from compromised hosts
inside, and their flows overlap with those of benign scanners, retries, scripts, devices and uploads.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from nids.datasets._attacks import ATTACKS
from nids.datasets._benign import ACTIVITIES
from nids.datasets._records import RECORD_SCHEMA, SUFFIXES, write_file
from nids.datasets._traffic import ICMP, Clock, Integers, Network, Rng, Traffic, apportion
from nids.datasets._wire import log_records
from nids.errors import InputError
from nids.files import new_file
from nids.schema import LABEL

CLASSES = ("benign", *ATTACKS)
"""Labels, in class order."""

MINIMUM_FLOWS = 1_000
LEAST_PER_CLASS = 12

_START = 1_767_592_800.0  # Monday, 5 January 2026, 06:00 UTC
_LETTERS = np.frombuffer(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", dtype=np.uint8)


def simulate_connections(n_flows: int, seed: int) -> pl.DataFrame:
    """Simulate n_flows labelled flow records, in order of time.

    The number of hosts stays the same and the period grows with n_flows (8,000 flows a day), so that any number of
    flows is equally dense. Each attack class has at least LEAST_PER_CLASS flows. Same arguments, same records.

    Returns:
        Frame of n_flows rows with the columns RECORD_SCHEMA; unset values (Zeek's `-`) are null.

    Raises:
        InputError: n_flows is below MINIMUM_FLOWS, or seed is negative.
    """
    if n_flows < MINIMUM_FLOWS:
        raise InputError(
            f"Expected --flows of at least {MINIMUM_FLOWS}, to hold flows of each class. Received: {n_flows}"
        )
    if seed < 0:
        raise InputError(f"Expected --seed to be 0 or more. Received: {seed}")
    streams = iter(np.random.default_rng(seed).spawn(3 + len(ACTIVITIES) + len(ATTACKS)))
    clock, net = Clock.of(n_flows), Network.draw(next(streams))
    counts = [max(LEAST_PER_CLASS, round(share * n_flows)) for _, share in ATTACKS.values()]
    benign = apportion(n_flows - sum(counts), [share for _, share in ACTIVITIES])
    parts = [activity(next(streams), n, clock, net) for (activity, _), n in zip(ACTIVITIES, benign, strict=True)]
    parts += [attack(next(streams), n, clock, net) for (attack, _), n in zip(ATTACKS.values(), counts, strict=True)]
    labels = np.repeat(CLASSES, [sum(benign), *counts])
    return _in_order_of_time(_records(Traffic.concat(parts), clock, next(streams)), labels, next(streams))


def write_records(path: str | Path, n_flows: int, seed: int) -> None:
    """Simulate flows and write them as .csv, .parquet or .log (Zeek's text format), by the extension of `path`.

    Raises:
        InputError: the extension is another one, `path` is a folder, or `simulate_connections` refuses.
    """
    target = Path(path)
    suffix = target.suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError(f"Expected --output to end in {', '.join(SUFFIXES)}. Received: {target}")
    if target.is_dir():
        raise InputError(f"Expected --output to be a file. Received: the folder {target}")
    records = simulate_connections(n_flows, seed)
    try:
        with new_file(target) as beside:
            write_file(records, beside, suffix)
    except OSError as error:
        raise InputError(f"Expected --output to be a file that can be written. Received: {target}: {error}") from error


def _records(traffic: Traffic, clock: Clock, rng: Rng) -> pl.DataFrame:
    n = len(traffic)
    # What would start after the end starts, as far from the beginning, at the beginning: no lull, no pile.
    ts = np.round(_START + traffic.time % clock.seconds, 6)
    asked = np.where(traffic.proto == ICMP, 8, rng.integers(32_768, 61_000, n))  # 8: echo request
    return pl.DataFrame(
        {
            "ts": ts,
            "id.orig_h": _addresses(traffic.orig),
            "id.orig_p": asked,
            "id.resp_h": _addresses(traffic.resp),
            "id.resp_p": traffic.port,
        }
    ).hstack(log_records(rng, traffic))


def _in_order_of_time(records: pl.DataFrame, labels: npt.NDArray[np.str_], rng: Rng) -> pl.DataFrame:
    uid = _LETTERS[rng.integers(0, len(_LETTERS), (len(labels), 18))]
    uid[:, 0] = ord("C")
    names = uid.view("S18").ravel().astype(np.str_)
    ordered = records.with_columns(pl.Series(LABEL, labels)).sort("ts", maintain_order=True)
    return ordered.with_columns(pl.Series("uid", names)).select(
        pl.col(name).cast(dtype) for name, dtype in RECORD_SCHEMA.items()
    )


def _addresses(numbers: Integers) -> pl.Series:
    distinct, index = np.unique(numbers, return_inverse=True)
    texts: list[Any] = [
        ".".join(str(number >> shift & 255) for shift in (24, 16, 8, 0)) for number in distinct.tolist()
    ]
    return pl.Series(np.asarray(texts)[index])
