"""What the parts of the simulator share: flows as intentions, sessions, the clock and the network.

An activity says who talks to whom, when, how long, how much and how it ends (`Shape`); `_wire.py` makes of that what
a sensor would have logged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Rng = np.random.Generator

TCP, UDP, ICMP = 0, 1, 2
PROTOCOLS = ("tcp", "udp", "icmp")

NONE = ""  # no analyzer recognised the payload
DAY = 86_400.0
FLOWS_PER_DAY = 8_000


class Shape(IntEnum):
    """How a conversation goes, in the distinctions that conn_state and history make."""

    CLOSED = 0  # established, both sides said goodbye
    OPEN = 1  # established, never closed
    ORIG_CLOSED = 2  # established, only the originator closed
    RESP_CLOSED = 3  # established, only the responder closed
    ORIG_RESET = 4  # established, then reset by the originator
    RESP_RESET = 5  # established, then reset by the responder
    NO_REPLY = 6  # asked, no answer
    REJECTED = 7  # asked, answered with a reset
    HALF_OPEN = 8  # answered, never confirmed
    STEALTH = 9  # answered, then reset instead of confirmed
    GAVE_UP = 10  # no answer, then reset by the originator


USUAL_ENDS = (
    Shape.CLOSED,
    Shape.ORIG_RESET,
    Shape.RESP_RESET,
    Shape.OPEN,
    Shape.RESP_CLOSED,
    Shape.ORIG_CLOSED,
    Shape.NO_REPLY,
    Shape.REJECTED,
)
USUAL_WEIGHTS = (0.80, 0.07, 0.04, 0.03, 0.02, 0.015, 0.018, 0.007)
"""How benign conversations end, most often well."""


@dataclass(frozen=True)
class Traffic:
    """n flows as intended, column by column; each array has shape (n,)."""

    time: Floats  # seconds since the start of the period
    orig: Integers  # IPv4 address as a number
    resp: Integers
    port: Integers  # of the responder; for ICMP the code
    proto: Integers  # index in PROTOCOLS
    service: npt.NDArray[np.str_]
    shape: Integers  # Shape
    duration: Floats  # seconds, of a conversation that comes about
    sent: Floats  # payload bytes of the originator, of a conversation that comes about
    received: Floats  # payload bytes of the responder
    turns: Floats  # messages of the originator: the least number of its packets with payload

    @classmethod
    def of(cls, n: int, **columns: Any) -> Traffic:
        """Broadcast scalars to n flows. Not given: TCP, two turns, no bytes, no service, closed properly."""
        given = {"proto": TCP, "service": NONE, "shape": Shape.CLOSED, "sent": 0.0, "received": 0.0, "turns": 2.0}
        given |= columns
        return cls(**{f.name: np.broadcast_to(np.asarray(given[f.name]), (n,)) for f in fields(cls)})

    @classmethod
    def concat(cls, parts: Sequence[Traffic]) -> Traffic:
        return cls(**{f.name: np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(cls)})

    def __len__(self) -> int:
        return len(self.time)


@dataclass(frozen=True)
class Sessions:
    """n flows grouped into sessions, one after the other.

    Attributes:
        of: session of each flow, shape (n,), from 0.
        position: place of each flow in its session, shape (n,), from 0.
        count: number of sessions.
    """

    of: Integers
    position: Integers
    count: int

    @classmethod
    def draw(cls, rng: Rng, n: int, mean: float, sigma: float = 0.8, most: int = 1 << 30) -> Sessions:
        """Sessions of lognormal length, `mean` flows on average and `most` at the most, together exactly n flows.

        The last one is cut short where need be.
        """
        sizes = np.clip(np.rint(heavy(rng, n, mean * np.exp(-(sigma**2) / 2), sigma)), 1, most).astype(np.int64)
        ends = np.cumsum(sizes)
        count = int(np.searchsorted(ends, n)) + 1 if n else 0
        of = np.repeat(np.arange(count), sizes[:count])[:n]
        return cls(of, np.arange(n) - (ends - sizes)[:count][of], count)

    def offsets(self, gaps: Floats) -> Floats:
        """Seconds since the start of its session, for each flow; gaps[i] lies before flow i."""
        total = np.cumsum(gaps)
        first = np.flatnonzero(self.position == 0)
        return np.asarray(total - total[first][self.of], dtype=np.float64)


@dataclass(frozen=True)
class Clock:
    """The simulated period: `seconds` from Monday 06:00."""

    seconds: float
    edges: Floats  # of the minutes
    people: Floats  # share of the work of people done by each edge, 0 to 1

    @classmethod
    def of(cls, n_flows: int) -> Clock:
        """A period that grows with the number of flows, so that traffic is equally dense in any number of them."""
        seconds = n_flows / FLOWS_PER_DAY * DAY
        edges = np.linspace(0.0, seconds, max(2, int(seconds // 60) + 1))
        middles = (edges[1:] + edges[:-1]) / 2 + DAY / 4
        hour, day = middles % DAY / 3600, middles // DAY % 7
        weight = 0.12 + np.exp(-(((hour - 10.5) / 2.2) ** 2)) + 0.9 * np.exp(-(((hour - 15) / 2.4) ** 2))
        weight += 0.25 * np.exp(-(((hour - 20.5) / 1.8) ** 2))
        weight *= np.where(day >= 5, 0.45, 1.0)
        return cls(seconds, edges, np.concatenate([[0.0], np.cumsum(weight) / weight.sum()]))

    def working(self, rng: Rng, n: int) -> Floats:
        """n moments in the rhythm of people, in no order."""
        return np.asarray(np.interp(rng.random(n), self.people, self.edges), dtype=np.float64)

    def steady(self, rng: Rng, n: int) -> Floats:
        """n moments in the rhythm of machines: any time is as good."""
        return rng.random(n) * self.seconds

    def nightly(self, rng: Rng, n: int) -> Floats:
        """n moments of which most lie between one and five at night."""
        days = max(1, int(np.ceil(self.seconds / DAY)))
        night = rng.integers(0, days, n) * DAY + 19 * 3600 + rng.random(n) * 4 * 3600
        return np.where(rng.random(n) < 0.7, night, self.steady(rng, n)) % self.seconds

    def spread(self, rng: Rng, sessions: Sessions) -> Floats:
        """A start per session, so placed that every part of all traffic holds its share of their flows."""
        sizes = np.bincount(sessions.of, minlength=sessions.count)
        done = (np.cumsum(sizes) - sizes * rng.random(sessions.count)) / max(len(sessions.of), 1)
        mixed = 0.65 * self.people + 0.35 * self.edges / self.seconds
        return np.asarray(np.interp(done, mixed, self.edges), dtype=np.float64)


@dataclass(frozen=True)
class Network:
    """The hosts, by role. Inside is 10.20.0.0/16; outside is 198.18.0.0/15, reserved for tests (RFC 2544)."""

    workstations: Integers
    admins: Integers
    things: Integers  # cameras, printers, sensors
    web: Integers
    servers: Integers  # web servers included
    mail: int
    dns: int
    files: int
    git: int
    monitor: int
    scanner: int  # the authorised one
    backup: int
    sites: Integers  # outside hosts that inside hosts call
    visitors: Integers  # outside hosts that call inside hosts
    outside_bots: Integers
    inside_bots: Integers  # compromised workstations and things; their benign traffic goes on
    controllers: Integers  # where implants report to

    @classmethod
    def draw(cls, rng: Rng) -> Network:
        inside = (10 << 24) + (20 << 16)
        outside = (198 << 24) + (18 << 16) + rng.permutation(1 << 17)
        workstations, things = inside + 256 + np.arange(10, 50), inside + 3 * 256 + np.arange(10, 28)
        web, servers = inside + 2 * 256 + np.arange(10, 13), inside + 2 * 256 + np.arange(10, 22)
        bots = np.concatenate([rng.choice(workstations, 5, replace=False), rng.choice(things, 3, replace=False)])
        # Some outside bots are also visitors: homes behind one address, and infected customers.
        visitors = outside[5_000:7_500]
        return cls(
            workstations=workstations,
            admins=inside + 256 + np.arange(200, 204),
            things=things,
            web=web,
            servers=servers,
            mail=int(servers[3]),
            dns=int(servers[4]),
            files=int(servers[5]),
            git=int(servers[6]),
            monitor=int(servers[7]),
            scanner=int(servers[8]),
            backup=int(servers[9]),
            sites=outside[:3_000],
            visitors=visitors,
            outside_bots=np.concatenate([outside[8_000:8_300], visitors[:60]]),
            inside_bots=bots,
            controllers=np.concatenate([outside[8_400:8_404], outside[:3]]),
        )

    @property
    def people(self) -> Integers:
        return np.concatenate([self.workstations, self.admins])

    @property
    def inside(self) -> Integers:
        return np.concatenate([self.people, self.things, self.servers])

    def site(self, rng: Rng, n: int) -> Integers:
        """n outside hosts, few of them very popular."""
        return self.sites[np.minimum(rng.zipf(1.25, n) - 1, len(self.sites) - 1)]


Activity = Callable[[Rng, int, Clock, Network], Traffic]
"""Makes n flows of one kind, over the whole period."""


def pick(rng: Rng, n: int, choices: Sequence[Any] | npt.NDArray[Any], weights: Sequence[float] | None = None) -> Any:
    """n draws with replacement; equal weights unless given."""
    share = None if weights is None else np.asarray(weights) / np.sum(weights)
    return np.asarray(choices)[rng.choice(len(choices), n, p=share)]


def heavy(rng: Rng, n: int, median: Any, sigma: Any) -> Floats:
    """Lognormal draws; `median` and `sigma` (of the logarithm) are scalars or of shape (n,)."""
    return np.asarray(median * np.exp(sigma * rng.standard_normal(n)), dtype=np.float64)


def tail(rng: Rng, n: int, scale: float, alpha: float, limit: float = 5e9) -> Floats:
    """Pareto draws from `scale` on; alpha below 2 has no variance, so `limit` ends it."""
    return np.minimum(scale * (1 + rng.pareto(alpha, n)), limit)


def apportion(n: int, shares: Sequence[float]) -> list[int]:
    """n in whole parts as the shares ask, largest remainders first."""
    exact = np.asarray(shares, dtype=np.float64) / np.sum(shares) * n
    parts = np.floor(exact).astype(np.int64)
    parts[np.argsort(parts - exact, kind="stable")[: n - parts.sum()]] += 1
    return [int(part) for part in parts]
