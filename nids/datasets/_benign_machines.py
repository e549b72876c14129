"""What machines do by themselves: one function per activity, n flows each."""

from __future__ import annotations

import numpy as np

from nids.datasets._traffic import (
    ICMP,
    NONE,
    TCP,
    UDP,
    USUAL_ENDS,
    USUAL_WEIGHTS,
    Clock,
    Network,
    Rng,
    Sessions,
    Shape,
    Traffic,
    heavy,
    pick,
    tail,
)


def dns(rng: Rng, n: int, clock: Clock, net: Network) -> Traffic:
    bursts = Sessions.draw(rng, n, mean=3)
    client = pick(rng, bursts.count, net.inside)[bursts.of]
    recursive = rng.random(n) < 0.25
    mixed = np.where(rng.random(bursts.count) < 0.7, clock.working(rng, bursts.count), clock.steady(rng, bursts.count))
    large = rng.random(n) < 0.03
    return Traffic.of(
        n,
        time=mixed[bursts.of] + bursts.offsets(rng.exponential(0.4, n)),
        orig=np.where(recursive, net.dns, client),
        resp=np.where(recursive, net.site(rng, n), net.dns),
        port=53,
        proto=np.where(large & (rng.random(n) < 0.5), TCP, UDP),
        service="dns",
        shape=np.where(rng.random(n) < 0.03, Shape.NO_REPLY, Shape.CLOSED),
        duration=heavy(rng, n, 0.012, 1.5),
        sent=np.where(large, heavy(rng, n, 220, 0.9), heavy(rng, n, 42, 0.25)),
        received=np.where(large, heavy(rng, n, 1_500, 0.6), heavy(rng, n, 110, 0.6)),
        turns=np.where(large, 1 + rng.geometric(0.4, n), 1 + (rng.random(n) < 0.12)),
    )


def updates(rng: Rng, n: int, clock: Clock, net: Network) -> Traffic:
    checks = Sessions.draw(rng, n, mean=3)
    fresh = rng.random(n) < 0.35
    plain = rng.random(checks.count)[checks.of] < 0.4
    return Traffic.of(
        n,
        time=clock.steady(rng, checks.count)[checks.of] + checks.offsets(rng.exponential(3.0, n)),
        orig=pick(rng, checks.count, net.inside)[checks.of],
        resp=net.sites[3 + pick(rng, checks.count, np.arange(12))[checks.of]],
        port=np.where(plain, 80, 443),
        service=np.where(plain, "http", "ssl"),
        shape=pick(rng, n, USUAL_ENDS, USUAL_WEIGHTS),
        duration=np.where(fresh, heavy(rng, n, 12, 1.2), heavy(rng, n, 0.5, 0.9)),
        sent=heavy(rng, n, 450, 0.5),
        received=np.where(fresh, tail(rng, n, 2e5, 0.8), heavy(rng, n, 700, 0.8)),
        turns=1 + rng.geometric(0.4, n),
    )


_REPORT_PORTS = np.asarray([443, 443, 443, 8883, 80, 443, 8443, 443, 8080, 443])
_REPORT_SERVICES = np.asarray(["ssl", "ssl", "ssl", "mqtt", "http", "ssl", "ssl", "ssl", "http", NONE])
_REPORT_SENT = np.asarray([310.0, 540, 820, 190, 360, 1_400, 650, 240, 470, 260])
_REPORT_RECEIVED = np.asarray([240.0, 480, 350, 120, 290, 900, 1_800, 3_900, 600, 180])


def reports(rng: Rng, n: int, clock: Clock, net: Network) -> Traffic:
    """Devices and programs that say at intervals that they live: like an implant, without the malice."""
    runs = Sessions.draw(rng, n, mean=30, sigma=0.6)
    product = rng.integers(0, len(_REPORT_PORTS), runs.count)[runs.of]
    period = pick(rng, runs.count, [30.0, 60, 120, 300, 600], [1, 3, 3, 3, 1])[runs.of]
    gap = period * (1 + 0.1 * rng.standard_normal(n)).clip(0.2)
    hosts = np.concatenate([net.things, net.things, net.workstations])
    weights = (0.86, 0.05, 0.02, 0.01, 0.01, 0.01, 0.03, 0.01)
    return Traffic.of(
        n,
        time=clock.steady(rng, runs.count)[runs.of] + runs.offsets(gap),
        orig=pick(rng, runs.count, hosts)[runs.of],
        resp=net.sites[20 + product],
        port=_REPORT_PORTS[product],
        service=_REPORT_SERVICES[product],
        shape=pick(rng, n, USUAL_ENDS, weights),
        duration=heavy(rng, n, 0.6, 0.9),
        sent=heavy(rng, n, _REPORT_SENT[product], 0.18),
        received=heavy(rng, n, _REPORT_RECEIVED[product], 0.3),
        turns=1 + rng.geometric(0.5, n),
    )


def time_and_names(rng: Rng, n: int, clock: Clock, net: Network) -> Traffic:
    """NTP to outside clocks, and devices that announce themselves to nobody in particular."""
    ntp = rng.random(n) < 0.6
    announced = (224 << 24) + 251  # 224.0.0.251, mDNS
    return Traffic.of(
        n,
        time=clock.steady(rng, n),
        orig=pick(rng, n, net.inside),
        resp=np.where(ntp, net.sites[40 + rng.integers(0, 4, n)], announced),
        port=np.where(ntp, 123, 5353),
        proto=UDP,
        service=np.where(ntp, "ntp", "dns"),
        shape=np.where(ntp & (rng.random(n) < 0.93), Shape.CLOSED, Shape.NO_REPLY),
        duration=np.where(ntp, heavy(rng, n, 0.03, 0.7), heavy(rng, n, 1.5, 0.9)),
        sent=np.where(ntp, 48, heavy(rng, n, 130, 0.7)),
        received=48,
        turns=np.where(ntp, 1, 1 + rng.geometric(0.5, n)),
    )


def monitoring(rng: Rng, n: int, clock: Clock, net: Network) -> Traffic:
    """The monitor asks host after host whether it still answers: pings, SNMP, and connections closed at once."""
    rounds = Sessions.draw(rng, n, mean=22, sigma=0.4)
    kind = rng.choice(4, n, p=[0.35, 0.2, 0.35, 0.1])  # ping, SNMP, connect, fetch
    port = np.choose(kind, [0, 161, pick(rng, n, [22, 25, 53, 80, 443, 445, 3306, 5432]), pick(rng, n, [80, 443])])
    proto = np.asarray([ICMP, UDP, TCP, TCP])[kind]
    connect = pick(
        rng,
        n,
        [Shape.CLOSED, Shape.ORIG_RESET, Shape.STEALTH, Shape.REJECTED, Shape.NO_REPLY],
        [4, 2, 1.5, 1.5, 1],
    )
    silent = np.where(rng.random(n) < 0.06, Shape.NO_REPLY, Shape.CLOSED)
    size = np.asarray([56.0, 48.0, 0.0, 280.0])[kind]
    banner = np.where((kind == 2) & (rng.random(n) < 0.4), 45, 0)
    return Traffic.of(
        n,
        time=clock.steady(rng, rounds.count)[rounds.of] + rounds.offsets(rng.exponential(1.5, n)),
        orig=np.where(rng.random(rounds.count)[rounds.of] < 0.8, net.monitor, pick(rng, n, net.admins)),
        resp=pick(rng, n, np.concatenate([net.servers, net.things])),
        port=port,
        proto=proto,
        service=np.choose(kind, [NONE, "snmp", NONE, np.where(port == 80, "http", "ssl")]),
        shape=np.where(kind == 2, connect, silent),
        duration=heavy(rng, n, 0.02, 1.3),
        sent=size * np.where(kind == 1, heavy(rng, n, 1, 0.3), 1),
        received=np.choose(kind, [56, heavy(rng, n, 130, 0.5), banner, heavy(rng, n, 1_500, 1.0)]),
        turns=1,
    )


def authorised_scan(rng: Rng, n: int, clock: Clock, net: Network) -> Traffic:
    """The company's own vulnerability scanner: many ports of many hosts, and a closer look at open ones."""
    scans = Sessions.draw(rng, n, mean=40, sigma=0.6)
    shapes = [Shape.NO_REPLY, Shape.REJECTED, Shape.STEALTH, Shape.CLOSED, Shape.ORIG_RESET]
    shape = pick(rng, n, shapes, [0.25, 0.30, 0.12, 0.23, 0.10])
    talks = rng.random(n) < 0.75
    known = pick(rng, n, [21, 22, 23, 25, 53, 80, 110, 139, 443, 445, 1433, 3306, 3389, 5432, 5900, 8080, 8443])
    port = np.where(rng.random(n) < 0.75, known, rng.integers(1, 10_000, n))
    return Traffic.of(
        n,
        time=clock.spread(rng, scans)[scans.of] + scans.offsets(rng.exponential(0.8, n)),
        orig=net.scanner,
        resp=pick(rng, scans.count, net.inside)[scans.of],
        port=port,
        service=np.select([port == 22, port == 80, port == 443], ["ssh", "http", "ssl"], NONE),
        shape=shape,
        duration=heavy(rng, n, 0.3, 1.4),
        sent=np.where(talks, heavy(rng, n, 300, 0.9), 0),
        received=np.where(talks, heavy(rng, n, 600, 1.2), 0),
        turns=1 + rng.geometric(0.5, n),
    )


def failures(rng: Rng, n: int, clock: Clock, net: Network) -> Traffic:
    """Retries against dead servers, rushes on a busy one, and strangers who ask for what moved away long ago."""
    storms = Sessions.draw(rng, n, mean=14, sigma=1.1)
    kind = rng.choice(3, storms.count, p=[0.45, 0.2, 0.35])[storms.of]  # retries, rush, strangers
    first = np.flatnonzero(storms.position == 0)
    client = np.where(kind == 0, pick(rng, n, net.inside), pick(rng, n, net.visitors))
    host = np.choose(kind, [pick(rng, n, net.servers), pick(rng, n, net.web), pick(rng, n, net.inside)])
    outward = (kind == 0) & (rng.random(storms.count)[storms.of] < 0.4)
    resp = np.where(outward, net.site(rng, n), host)[first][storms.of]
    port = np.choose(
        kind,
        [
            pick(rng, n, [443, 80, 445, 3306, 5432, 25, 8080, 22, 8443, 993]),
            pick(rng, n, [443, 80], [4, 1]),
            pick(rng, n, [22, 23, 80, 443, 445, 3389, 8080, 5060, 6881, 25, 51413]),
        ],
    )
    shapes = [Shape.NO_REPLY, Shape.REJECTED, Shape.HALF_OPEN, Shape.GAVE_UP, Shape.CLOSED, Shape.STEALTH]
    gap = rng.exponential(pick(rng, storms.count, [0.15, 1.0, 5.0, 30.0], [1, 2, 4, 3])[storms.of])
    return Traffic.of(
        n,
        time=clock.spread(rng, storms)[storms.of] + storms.offsets(gap),
        orig=np.where(kind == 0, client[first][storms.of], client),
        resp=np.where(kind == 2, host, resp),
        port=np.where(kind == 2, port, port[first][storms.of]),
        service=NONE,
        shape=pick(rng, n, shapes, [0.52, 0.22, 0.11, 0.04, 0.08, 0.03]),
        duration=heavy(rng, n, 0.8, 1.5),
        sent=np.where(rng.random(n) < 0.5, 0, heavy(rng, n, 400, 0.8)),
        received=np.where(rng.random(n) < 0.5, 0, heavy(rng, n, 700, 1.2)),
    )
