"""The attacks: one function per class, n flows each, in episodes over the whole period.

Episodes differ in strength and manner: floods from one address or from forged ones, fast and slow scans, noisy and
patient password guessing, from outside and from compromised hosts inside.
"""

from __future__ import annotations

import numpy as np

from nids.datasets._traffic import NONE, TCP, UDP, Activity, Clock, Network, Rng, Sessions, Shape, Traffic, heavy, pick


def _episodes(rng: Rng, n: int, mean: float, sigma: float = 0.7) -> Sessions:
    """Episodes of about `mean` flows; few flows still make 20 of them, so that any part of a split has some."""
    most = max(1, n // 20)
    return Sessions.draw(rng, n, min(mean, most), sigma, most)


def _syn_flood(rng: Rng, n: int, clock: Clock, net: Network) -> Traffic:
    floods = _episodes(rng, n, mean=24)
    manner = rng.choice(3, floods.count, p=[0.25, 0.5, 0.25])  # forged addresses, a botnet, one inside host
    forged = (198 << 24) + (18 << 16) + rng.integers(0, 1 << 17, n)
    crew = net.outside_bots[(rng.integers(0, 300, floods.count)[floods.of] + rng.integers(0, 5, n)) % 300]
    inside = pick(rng, floods.count, net.inside_bots)[floods.of]
    target = np.where(manner == 2, net.site(rng, floods.count), pick(rng, floods.count, net.servers[:7]))
    shapes = [Shape.NO_REPLY, Shape.HALF_OPEN, Shape.REJECTED, Shape.STEALTH, Shape.GAVE_UP]
    gap = heavy(rng, floods.count, 0.12, 1.1)[floods.of]
    return Traffic.of(
        n,
        time=clock.spread(rng, floods)[floods.of] + floods.offsets(rng.exponential(gap)),
        orig=np.choose(manner[floods.of], [forged, crew, inside]),
        resp=target[floods.of],
        port=pick(rng, floods.count, [443, 80, 25, 22, 8080, 445, 993], [12, 9, 1, 1, 1, 1, 1])[floods.of],
        shape=pick(rng, n, shapes, [0.62, 0.25, 0.07, 0.03, 0.03]),
        duration=0.0,
    )


_SCANNED = np.asarray([21, 22, 23, 25, 53, 80, 110, 135, 139, 443, 445, 993, 1433, 3306, 3389, 5432, 5900, 8080, 8443])


def _port_scan(rng: Rng, n: int, clock: Clock, net: Network) -> Traffic:
    scans = _episodes(rng, n, mean=20)
    wide = (rng.random(scans.count) < 0.4)[scans.of]  # one port of many hosts, or many ports of one host
    source = np.where(rng.random(scans.count) < 0.5, pick(rng, scans.count, net.outside_bots), 0)
    source = np.where(source == 0, pick(rng, scans.count, net.inside_bots), source)[scans.of]
    known = rng.random(n) < 0.5
    port = np.where(known, pick(rng, n, _SCANNED), rng.integers(1, 10_000, n))
    one_port = pick(rng, scans.count, _SCANNED)[scans.of]
    connects = (rng.random(scans.count) < 0.4)[scans.of]
    by_syn = pick(rng, n, [Shape.NO_REPLY, Shape.REJECTED, Shape.STEALTH, Shape.GAVE_UP], [0.45, 0.36, 0.13, 0.06])
    shapes = [Shape.NO_REPLY, Shape.REJECTED, Shape.ORIG_RESET, Shape.CLOSED]
    by_connect = pick(rng, n, shapes, [0.36, 0.34, 0.15, 0.15])
    by_udp = (rng.random(scans.count) < 0.06)[scans.of]
    gap = pick(rng, scans.count, [0.15, 1.0, 5.0, 40.0], [4, 4, 3, 1])[scans.of]
    talks = rng.random(n) < 0.4
    return Traffic.of(
        n,
        time=clock.spread(rng, scans)[scans.of] + scans.offsets(rng.exponential(gap)),
        orig=source,
        resp=np.where(wide, pick(rng, n, net.inside), pick(rng, scans.count, net.inside)[scans.of]),
        port=np.where(wide, one_port, port),
        proto=np.where(by_udp, UDP, TCP),
        shape=np.where(by_udp, Shape.NO_REPLY, np.where(connects, by_connect, by_syn)),
        duration=heavy(rng, n, 0.15, 1.4),
        sent=np.where(by_udp, heavy(rng, n, 40, 0.6), np.where(talks, heavy(rng, n, 150, 1.0), 0)),
        received=np.where(talks, heavy(rng, n, 200, 1.2), 0),
        turns=1,
    )


def _ssh_brute_force(rng: Rng, n: int, clock: Clock, net: Network) -> Traffic:
    raids = _episodes(rng, n, mean=12)
    manner = rng.choice(3, raids.count, p=[0.45, 0.3, 0.25])  # fast, patient from many addresses, from inside
    outside = pick(rng, raids.count, net.outside_bots)[raids.of]
    crew = pick(rng, n, net.outside_bots)
    inside = pick(rng, raids.count, net.inside_bots)[raids.of]
    gap = np.asarray([1.6, 45.0, 5.0])[manner][raids.of] * heavy(rng, raids.count, 1.0, 0.7)[raids.of]
    shapes = [
        Shape.CLOSED,
        Shape.ORIG_RESET,
        Shape.RESP_RESET,
        Shape.OPEN,
        Shape.ORIG_CLOSED,
        Shape.NO_REPLY,
        Shape.REJECTED,
    ]
    return Traffic.of(
        n,
        time=clock.spread(rng, raids)[raids.of] + raids.offsets(rng.exponential(gap)),
        orig=np.choose(manner[raids.of], [outside, crew, inside]),
        resp=pick(rng, raids.count, net.servers)[raids.of],
        port=np.where(rng.random(raids.count) < 0.1, 2222, 22)[raids.of],
        service=np.where(rng.random(n) < 0.04, NONE, "ssh"),
        shape=pick(rng, n, shapes, [0.62, 0.12, 0.14, 0.04, 0.02, 0.03, 0.03]),
        duration=heavy(rng, n, heavy(rng, raids.count, 3.0, 0.4)[raids.of], 0.5),
        sent=heavy(rng, n, heavy(rng, raids.count, 1_450, 0.2)[raids.of], 0.2),
        received=heavy(rng, n, heavy(rng, raids.count, 1_950, 0.15)[raids.of], 0.15),
        turns=8 + rng.geometric(0.25, n),
    )


# Families of implants: each has its habits, and its siblings share them.
_FAMILY_PORTS = np.asarray([443, 443, 80, 8080, 8443, 53])
_FAMILY_SERVICES = np.asarray(["ssl", NONE, "http", "http", "ssl", NONE])
_FAMILY_SENT = np.asarray([430.0, 150, 270, 610, 980, 210])
_FAMILY_RECEIVED = np.asarray([190.0, 95, 150, 260, 420, 130])
_FAMILY_SECONDS = np.asarray([0.25, 1.8, 0.15, 0.4, 2.5, 0.2])


def _beaconing(rng: Rng, n: int, clock: Clock, net: Network) -> Traffic:
    implants = _episodes(rng, n, mean=11)
    family = (np.arange(implants.count) % len(_FAMILY_PORTS))[implants.of]
    period = pick(rng, implants.count, [30.0, 60, 120, 300, 600], [1, 3, 3, 3, 1])[implants.of]
    ordered = rng.random(n) < 0.08  # the controller has work for it
    weights = (0.80, 0.07, 0.03, 0.02, 0.06, 0.02)
    shapes = [Shape.CLOSED, Shape.ORIG_RESET, Shape.RESP_RESET, Shape.OPEN, Shape.NO_REPLY, Shape.REJECTED]
    return Traffic.of(
        n,
        time=clock.spread(rng, implants)[implants.of]
        + implants.offsets(period * (1 + 0.2 * rng.standard_normal(n)).clip(0.2)),
        orig=pick(rng, implants.count, net.inside_bots)[implants.of],
        resp=pick(rng, implants.count, net.controllers)[implants.of],
        port=_FAMILY_PORTS[family],
        service=_FAMILY_SERVICES[family],
        shape=pick(rng, n, shapes, weights),
        duration=heavy(rng, n, _FAMILY_SECONDS[family], 0.45),
        sent=heavy(rng, n, _FAMILY_SENT[family], 0.08),
        received=np.where(ordered, heavy(rng, n, 20_000, 1.2), heavy(rng, n, _FAMILY_RECEIVED[family], 0.1)),
        turns=1 + rng.geometric(0.6, n),
    )


def _exfiltration(rng: Rng, n: int, clock: Clock, net: Network) -> Traffic:
    thefts = _episodes(rng, n, mean=4)
    manner = rng.choice(3, thefts.count, p=[0.4, 0.4, 0.2])  # all at once, in small parts, through DNS
    of = manner[thefts.of]
    port = np.choose(of, [pick(rng, n, [443, 22, 8443], [5, 3, 2]), pick(rng, n, [443, 80], [4, 1]), 53])
    first = np.flatnonzero(thefts.position == 0)
    port = port[first][thefts.of]
    sent = heavy(rng, n, np.asarray([9e6, 9e5, 2.5e4])[of], np.asarray([1.0, 0.7, 0.8])[of])
    shapes = [Shape.CLOSED, Shape.ORIG_RESET, Shape.RESP_RESET, Shape.OPEN, Shape.NO_REPLY]
    speed = np.asarray([4e5, 2.5e4, 5e2])[of]
    services = np.select([port == 22, port == 80, port == 53], ["ssh", "http", "dns"], "ssl")
    return Traffic.of(
        n,
        time=clock.spread(rng, thefts)[thefts.of] + thefts.offsets(rng.exponential(np.asarray([40.0, 90.0, 25.0])[of])),
        orig=pick(rng, thefts.count, np.concatenate([net.inside_bots, net.servers[5:7]]))[thefts.of],
        resp=np.where(
            rng.random(thefts.count) < 0.5, net.site(rng, thefts.count), pick(rng, thefts.count, net.controllers)
        )[thefts.of],
        port=port,
        proto=np.where(of == 2, UDP, TCP),
        service=np.where((rng.random(n) < 0.12), NONE, services),
        shape=np.where(of == 2, Shape.CLOSED, pick(rng, n, shapes, [0.78, 0.08, 0.07, 0.04, 0.03])),
        duration=1.0 + sent / heavy(rng, n, speed, 0.8),
        sent=sent,
        received=heavy(rng, n, 1_200 + sent * np.asarray([0.002, 0.002, 0.3])[of], 0.6),
        turns=np.where(of == 2, sent / 180, 4 + rng.geometric(0.1, n)),
    )


def _slow_http(rng: Rng, n: int, clock: Clock, net: Network) -> Traffic:
    sieges = _episodes(rng, n, mean=12)
    inside = (rng.random(sieges.count) < 0.25)[sieges.of]
    crew = net.outside_bots[(rng.integers(0, 360, sieges.count)[sieges.of] + rng.integers(0, 3, n)) % 360]
    port = pick(rng, sieges.count, [80, 443, 8080], [5, 4, 1])[sieges.of]
    shapes = [Shape.OPEN, Shape.RESP_RESET, Shape.ORIG_RESET, Shape.CLOSED, Shape.RESP_CLOSED, Shape.NO_REPLY]
    return Traffic.of(
        n,
        time=clock.spread(rng, sieges)[sieges.of]
        + sieges.offsets(rng.exponential(heavy(rng, sieges.count, 3.0, 1.2)[sieges.of])),
        orig=np.where(inside, pick(rng, sieges.count, net.inside_bots)[sieges.of], crew),
        resp=pick(rng, sieges.count, net.web)[sieges.of],
        port=port,
        service=np.where(rng.random(n) < 0.45, NONE, np.where(port == 443, "ssl", "http")),
        shape=pick(rng, n, shapes, [0.26, 0.26, 0.14, 0.17, 0.09, 0.08]),
        duration=heavy(rng, n, 170, 0.7),
        sent=heavy(rng, n, 420, 0.6),
        received=np.where(rng.random(n) < 0.7, 0, heavy(rng, n, 300, 0.8)),
        turns=8 + rng.geometric(0.06, n),
    )


ATTACKS: dict[str, tuple[Activity, float]] = {
    "syn_flood": (_syn_flood, 0.024),
    "port_scan": (_port_scan, 0.021),
    "ssh_brute_force": (_ssh_brute_force, 0.017),
    "beaconing": (_beaconing, 0.014),
    "exfiltration": (_exfiltration, 0.005),
    "slow_http": (_slow_http, 0.009),
}
"""Each class of attack with its share of all flows, in class order."""
