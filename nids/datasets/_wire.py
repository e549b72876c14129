"""From intended flows to what a Zeek sensor would have logged: packets, bytes on the wire, states and histories.

The rules follow Zeek's conn.log (base/protocols/conn/main.zeek): a flow without duration has no duration and no payload
bytes to log, a service is known by its payload, the letters of `history` say what each side sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from nids.datasets._traffic import ICMP, PROTOCOLS, TCP, UDP, Floats, Integers, Rng, Shape, Traffic

_SEGMENT = 1448  # payload of a full TCP segment with timestamps, in bytes
_STATES = {
    Shape.CLOSED: "SF",
    Shape.OPEN: "S1",
    Shape.ORIG_CLOSED: "S2",
    Shape.RESP_CLOSED: "S3",
    Shape.ORIG_RESET: "RSTO",
    Shape.RESP_RESET: "RSTR",
    Shape.NO_REPLY: "S0",
    Shape.REJECTED: "REJ",
    Shape.HALF_OPEN: "S1",
    Shape.STEALTH: "RSTO",
    Shape.GAVE_UP: "RSTOS0",
}
_ENDINGS = {
    Shape.CLOSED: "Ff",
    Shape.OPEN: "",
    Shape.ORIG_CLOSED: "F",
    Shape.RESP_CLOSED: "f",
    Shape.ORIG_RESET: "R",
    Shape.RESP_RESET: "r",
}
_REFUSALS = {
    Shape.NO_REPLY: "S",
    Shape.REJECTED: "Sr",
    Shape.HALF_OPEN: "Sh",
    Shape.STEALTH: "ShR",
    Shape.GAVE_UP: "SR",
}


@dataclass(frozen=True)
class _Packets:
    """Packets of both sides, and bytes of headers per packet; each array of shape (n,)."""

    orig: Integers
    resp: Integers
    header: Integers


def log_records(rng: Rng, traffic: Traffic) -> pl.DataFrame:
    """Records with the columns of conn.log from `proto` on, row for row those of `traffic`; unset values are null."""
    n = len(traffic)
    established = (traffic.proto != TCP) | (traffic.shape < Shape.NO_REPLY)
    answered = established & (traffic.shape != Shape.NO_REPLY)
    sent = np.where(established, np.rint(traffic.sent), 0).astype(np.int64)
    received = np.where(answered, np.rint(traffic.received), 0).astype(np.int64)
    packets = _packets(rng, traffic, sent, received)
    timed = packets.orig + packets.resp > 1
    missed = np.where((rng.random(n) < 0.004) & (received > 20 * _SEGMENT), _SEGMENT * rng.integers(1, 9, n), 0)
    known = (sent + received > 0) & (traffic.service != "")
    syn = np.where(traffic.proto == TCP, 20, 0)  # TCP options of the first packet of each side
    return pl.DataFrame(
        {
            "proto": pl.Series(np.asarray(PROTOCOLS)[traffic.proto]),
            "service": _unset(traffic.service, known),
            "duration": _unset(np.round(_duration(rng, traffic, packets), 6), timed),
            "orig_bytes": _unset(sent, timed),
            "resp_bytes": _unset(received, timed),
            "conn_state": _states(traffic),
            "missed_bytes": missed,
            "history": _histories(rng, traffic, sent > 0, received > 0, missed > 0),
            "orig_pkts": packets.orig,
            "orig_ip_bytes": sent + packets.orig * packets.header + syn * (packets.orig > 0),
            "resp_pkts": packets.resp,
            "resp_ip_bytes": received + packets.resp * packets.header + syn * (packets.resp > 0),
        }
    )


def _packets(rng: Rng, traffic: Traffic, sent: Integers, received: Integers) -> _Packets:
    n, shape = len(traffic), traffic.shape
    turns = np.rint(traffic.turns).astype(np.int64)
    told = np.maximum(-(-sent // _SEGMENT), np.minimum(turns, sent))
    heard = np.maximum(-(-received // _SEGMENT), np.minimum(turns, received))
    lost = rng.binomial(np.minimum(told + heard, 100_000), 0.004)
    # A reader confirms every second packet, and a writer's own packets confirm the rest.
    orig = 2 + told + np.maximum(0, heard // 2 - told // 2) + lost
    resp = 1 + heard + np.maximum(0, told // 2 - heard // 2)
    orig += np.isin(shape, (Shape.CLOSED, Shape.ORIG_CLOSED, Shape.ORIG_RESET)) + rng.integers(0, 2, n)
    resp += np.isin(shape, (Shape.CLOSED, Shape.RESP_CLOSED, Shape.RESP_RESET)) + rng.integers(0, 2, n)
    tries = 1 + rng.choice(4, n, p=[0.55, 0.2, 0.15, 0.1])
    refused: dict[Shape, tuple[Any, Any]] = {
        Shape.NO_REPLY: (tries, 0),
        Shape.REJECTED: (np.minimum(tries, 3), np.minimum(tries, 3)),
        Shape.HALF_OPEN: (np.minimum(tries, 2), tries),
        Shape.STEALTH: (2, 1),
        Shape.GAVE_UP: (1 + tries, 0),
    }
    for kind, (of_orig, of_resp) in refused.items():
        orig, resp = np.where(shape == kind, of_orig, orig), np.where(shape == kind, of_resp, resp)
    plain = traffic.proto != TCP
    orig = np.where(plain, np.maximum(np.maximum(turns, -(-sent // 1400)), 1), orig)
    resp = np.where(plain, np.where(received > 0, np.maximum(np.maximum(turns, -(-received // 1400)), 1), 0), resp)
    header = np.where(plain, 28, np.where(rng.random(n) < 0.8, 52, 40))
    return _Packets(orig.astype(np.int64), resp.astype(np.int64), header.astype(np.int64))


def _duration(rng: Rng, traffic: Traffic, packets: _Packets) -> Floats:
    """Seconds between the first and the last packet. Repeated questions wait 1, 2, 4 ... seconds."""
    n = len(traffic)
    waits = (2.0 ** np.clip(packets.orig - 1, 0, 4) - 1) * rng.uniform(0.98, 1.05, n)
    trip = 0.0004 * np.exp(2.2 * rng.random(n) + 0.8 * rng.standard_normal(n))
    refusals = {
        Shape.NO_REPLY: waits,
        Shape.REJECTED: trip + np.where(packets.orig > 1, 0.5 * (packets.orig - 1), 0.0),
        Shape.HALF_OPEN: (2.0 ** np.clip(packets.resp - 1, 0, 4) - 1) + trip,
        Shape.STEALTH: trip,
        Shape.GAVE_UP: waits * rng.uniform(0.5, 1.0, n),
    }
    duration = np.maximum(traffic.duration, 2 * trip)
    for kind, seconds in refusals.items():
        duration = np.where((traffic.proto == TCP) & (traffic.shape == kind), seconds, duration)
    return np.maximum(duration, 1e-6)


def _states(traffic: Traffic) -> pl.Series:
    states = np.asarray([_STATES[shape] for shape in Shape])[traffic.shape]
    states = np.where(traffic.proto == UDP, np.where(traffic.shape == Shape.NO_REPLY, "S0", "SF"), states)
    return pl.Series(np.where(traffic.proto == ICMP, "OTH", states))


def _histories(
    rng: Rng, traffic: Traffic, told: npt.NDArray[np.bool_], heard: npt.NDArray[np.bool_], gap: npt.NDArray[np.bool_]
) -> pl.Series:
    """Letters in the order of their first packets: upper case for the originator, lower case for the responder."""
    banner_first = told & heard & (rng.random(len(traffic)) < 0.15)
    asked = _join(np.where(told, "D", ""), np.where(told | heard, "a", ""), np.where(heard, "d", ""))
    data = np.where(banner_first, "dDa", asked)
    endings = np.asarray([_ENDINGS.get(shape, "") for shape in Shape])[traffic.shape]
    refusals = np.asarray([_REFUSALS.get(shape, "") for shape in Shape])[traffic.shape]
    tcp = np.where(refusals != "", refusals, _join("ShA", data, np.where(gap, "g", ""), endings))
    plain = _join("D", np.where(heard, "d", ""))
    return _unset(np.where(traffic.proto == TCP, tcp, plain), traffic.proto != ICMP)


def _join(*parts: Any) -> npt.NDArray[np.str_]:
    joined: npt.NDArray[np.str_] = np.asarray(parts[0], dtype=np.str_)
    for part in parts[1:]:
        joined = np.strings.add(joined, np.asarray(part, dtype=np.str_))
    return joined


def _unset(values: npt.NDArray[Any], known: npt.NDArray[np.bool_]) -> pl.Series:
    return pl.select(pl.when(pl.Series(known)).then(pl.Series(values))).to_series()
