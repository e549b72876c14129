"""The benign traffic of a small company: one function per activity, n flows each.

Several resemble attacks: the authorised scanner and the monitor fan out, clients retry against dead servers, scripts
log in by SSH in bursts, devices report home at fixed intervals, people upload, slow clients hold connections open.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nids.datasets._traffic import (
    ICMP,
    NONE,
    TCP,
    UDP,
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

Activity = Callable[[Rng, int, Clock, Network], Traffic]

_USUAL = (Shape.CLOSED, Shape.ORIG_RESET, Shape.RESP_RESET, Shape.OPEN, Shape.RESP_CLOSED, Shape.ORIG_CLOSED)
_USUAL_ENDS = (*_USUAL, Shape.NO_REPLY, Shape.REJECTED)
_USUAL_WEIGHTS = (0.80, 0.07, 0.04, 0.03, 0.02, 0.015, 0.018, 0.007)


def _web(rng: Rng, n: int, clock: Clock, net: Network) -> Traffic:
    pages = Sessions.draw(rng, n, mean=7)
    start = clock.working(rng, pages.count)[pages.of]
    kind = rng.choice(4, n, p=[0.76, 0.09, 0.13, 0.02])  # https, http, quic, odd ports
    quic = kind == 2
    big = rng.random(n) < 0.03
    return Traffic.of(
        n,
        time=start + pages.offsets(rng.exponential(pick(rng, n, [0.05, 1.0, 9.0], [6, 3, 1]))),
        orig=pick(rng, pages.count, net.people)[pages.of],
        resp=net.site(rng, n),
        port=np.asarray([443, 80, 443, 8080])[kind],
        proto=np.where(quic, UDP, TCP),
        service=np.where(rng.random(n) < 0.04, NONE, np.asarray(["ssl", "http", "quic", "http"])[kind]),
        shape=np.where(quic, Shape.CLOSED, pick(rng, n, _USUAL_ENDS, _USUAL_WEIGHTS)),
        duration=heavy(rng, n, 1.4, 1.7),
        sent=np.where(rng.random(n) < 0.015, tail(rng, n, 2e5, 0.9), heavy(rng, n, 1_000, 1.0)),
        received=np.where(big, tail(rng, n, 1e5, 0.9), heavy(rng, n, 5_500, 1.6)),
        turns=1 + rng.geometric(0.3, n),
    )


def _visits(rng: Rng, n: int, clock: Clock, net: Network) -> Traffic:
    visits = Sessions.draw(rng, n, mean=5, sigma=1.1)
    start = clock.working(rng, visits.count)[visits.of]
    secure = rng.random(n) < 0.8
    return Traffic.of(
        n,
        time=start + visits.offsets(rng.exponential(pick(rng, n, [0.1, 2.0], [2, 1]))),
        orig=pick(rng, visits.count, net.visitors)[visits.of],
        resp=pick(rng, visits.count, net.web)[visits.of],
        port=np.where(secure, 443, 80),
        service=np.where(secure, "ssl", "http"),
        shape=pick(rng, n, _USUAL_ENDS, (0.74, 0.08, 0.05, 0.04, 0.02, 0.02, 0.04, 0.01)),
        duration=heavy(rng, n, 2.0, 1.6),
        sent=heavy(rng, n, 800, 0.8),
        received=heavy(rng, n, 9_000, 1.6),
        turns=1 + rng.geometric(0.35, n),
    )


def _slow_clients(rng: Rng, n: int, clock: Clock, net: Network) -> Traffic:
    """Long polling, web sockets, phones with a bad signal: long, thin conversations."""
    visits = Sessions.draw(rng, n, mean=4)
    start = clock.working(rng, visits.count)[visits.of]
    outward = rng.random(visits.count)[visits.of] < 0.35
    secure = rng.random(n) < 0.7
    weights = (0.40, 0.14, 0.18, 0.18, 0.05, 0.02, 0.03, 0.0)
    return Traffic.of(
        n,
        time=start + visits.offsets(rng.exponential(6.0, n)),
        orig=np.where(outward, pick(rng, n, net.people), pick(rng, visits.count, net.visitors)[visits.of]),
        resp=np.where(outward, net.site(rng, n), pick(rng, visits.count, net.web)[visits.of]),
        port=np.where(secure, 443, pick(rng, n, [80, 8080], [4, 1])),
        service=np.where(rng.random(n) < 0.12, NONE, np.where(secure, "ssl", "http")),
        shape=pick(rng, n, _USUAL_ENDS, weights),
        duration=heavy(rng, n, 110, 1.0),
        sent=heavy(rng, n, 750, 0.9),
        received=np.where(rng.random(n) < 0.15, 0, heavy(rng, n, 900, 1.5)),
        turns=3 + rng.geometric(0.09, n),
    )


def _dns(rng: Rng, n: int, clock: Clock, net: Network) -> Traffic:
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


def _mail(rng: Rng, n: int, clock: Clock, net: Network) -> Traffic:
    kind = rng.choice(3, n, p=[0.35, 0.25, 0.40])  # in from outside, out to outside, people at their mailbox
    port = np.where(kind == 2, pick(rng, n, [993, 587, 143], [7, 2, 1]), 25)
    heavy_sent = np.where(rng.random(n) < 0.2, tail(rng, n, 3e4, 0.9, 4e7), heavy(rng, n, 4_000, 1.2))
    return Traffic.of(
        n,
        time=clock.working(rng, n),
        orig=np.choose(kind, [pick(rng, n, net.visitors), net.mail, pick(rng, n, net.people)]),
        resp=np.choose(kind, [net.mail, net.site(rng, n), net.mail]),
        port=port,
        service=np.where(port == 25, "smtp", np.where(port == 143, "imap", "ssl")),
        shape=pick(rng, n, _USUAL_ENDS, (0.82, 0.05, 0.04, 0.02, 0.01, 0.01, 0.03, 0.02)),
        duration=heavy(rng, n, np.where(kind == 2, 20.0, 2.5), 1.2),
        sent=np.where(kind == 2, heavy(rng, n, 1_200, 0.9), heavy_sent),
        received=np.where(kind == 2, heavy(rng, n, 9_000, 1.8), heavy(rng, n, 600, 0.5)),
        turns=5 + rng.geometric(0.2, n),
    )


def _ssh(rng: Rng, n: int, clock: Clock, net: Network) -> Traffic:
    """Shells of people, pushes to git, scripts that log in host by host, and mistyped passwords."""
    bursts = Sessions.draw(rng, n, mean=6, sigma=1.2)
    kind = rng.choice(4, bursts.count, p=[0.12, 0.3, 0.38, 0.2])[bursts.of]
    source = np.where(kind >= 2, pick(rng, n, net.visitors[:40]), pick(rng, n, net.people))
    inside = np.where(kind == 1, pick(rng, n, net.workstations), pick(rng, n, net.admins))
    remote = rng.random(bursts.count)[bursts.of] < 0.3
    gap = rng.exponential(np.asarray([120.0, 20.0, 1.2, 4.0])[kind])
    start = np.where(kind == 2, clock.steady(rng, bursts.count)[bursts.of], clock.working(rng, bursts.count)[bursts.of])
    first = np.flatnonzero(bursts.position == 0)
    return Traffic.of(
        n,
        time=start + bursts.offsets(gap),
        orig=np.where(remote, source, inside)[first][bursts.of],
        resp=np.where(kind == 1, net.git, pick(rng, n, net.servers)),
        port=np.where(rng.random(bursts.count)[bursts.of] < 0.06, 2222, 22),
        service=np.where(rng.random(n) < 0.04, NONE, "ssh"),
        shape=pick(rng, n, _USUAL_ENDS, (0.72, 0.08, 0.07, 0.04, 0.01, 0.01, 0.04, 0.03)),
        duration=heavy(rng, n, np.asarray([600.0, 2.5, 2.0, 3.5])[kind], np.asarray([1.4, 0.9, 0.8, 0.7])[kind]),
        sent=heavy(rng, n, np.asarray([9e3, 4e3, 2.4e3, 1.7e3])[kind], np.asarray([1.3, 1.1, 0.45, 0.3])[kind]),
        received=heavy(rng, n, np.asarray([3e4, 9e3, 3e3, 2.1e3])[kind], np.asarray([1.5, 1.6, 0.6, 0.3])[kind]),
        turns=np.asarray([60, 9, 9, 9])[kind] + rng.geometric(0.2, n),
    )


def _uploads(rng: Rng, n: int, clock: Clock, net: Network) -> Traffic:
    """Backups by night; batches, pictures and recordings to the cloud by day."""
    batches = Sessions.draw(rng, n, mean=4)
    cloud = rng.random(batches.count)[batches.of] < 0.6
    kind = rng.choice(3, batches.count, p=[0.55, 0.25, 0.2])[batches.of]
    start = np.where(
        cloud, clock.working(rng, batches.count)[batches.of], clock.nightly(rng, batches.count)[batches.of]
    )
    sent = np.where(rng.random(n) < 0.5, tail(rng, n, 3e5, 0.8), heavy(rng, n, 1.5e6, 1.6))
    hosts = np.concatenate([net.people, net.servers])
    return Traffic.of(
        n,
        time=start + batches.offsets(rng.exponential(25.0, n)),
        orig=pick(rng, batches.count, hosts)[batches.of],
        resp=np.where(cloud, net.site(rng, batches.count)[batches.of], net.backup),
        port=np.where(cloud, np.asarray([443, 443, 22])[kind], np.asarray([873, 445, 22])[kind]),
        service=np.where(cloud, np.asarray(["ssl", "ssl", "ssh"])[kind], np.asarray([NONE, "smb", "ssh"])[kind]),
        shape=pick(rng, n, _USUAL_ENDS, (0.80, 0.06, 0.05, 0.04, 0.01, 0.01, 0.02, 0.01)),
        duration=2.0 + sent / heavy(rng, n, 1.2e6, 1.1),
        sent=sent,
        received=heavy(rng, n, 3_000 + sent * 0.004, 0.9),
        turns=4 + rng.geometric(0.1, n),
    )


def _updates(rng: Rng, n: int, clock: Clock, net: Network) -> Traffic:
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
        shape=pick(rng, n, _USUAL_ENDS, _USUAL_WEIGHTS),
        duration=np.where(fresh, heavy(rng, n, 12, 1.2), heavy(rng, n, 0.5, 0.9)),
        sent=heavy(rng, n, 450, 0.5),
        received=np.where(fresh, tail(rng, n, 2e5, 0.8), heavy(rng, n, 700, 0.8)),
        turns=1 + rng.geometric(0.4, n),
    )


_REPORT_PORTS = np.asarray([443, 443, 443, 8883, 80, 443, 8443, 443, 8080, 443])
_REPORT_SERVICES = np.asarray(["ssl", "ssl", "ssl", "mqtt", "http", "ssl", "ssl", "ssl", "http", NONE])
_REPORT_SENT = np.asarray([310.0, 540, 820, 190, 360, 1_400, 650, 240, 470, 260])
_REPORT_RECEIVED = np.asarray([240.0, 480, 350, 120, 290, 900, 1_800, 3_900, 600, 180])


def _reports(rng: Rng, n: int, clock: Clock, net: Network) -> Traffic:
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
        shape=pick(rng, n, _USUAL_ENDS, weights),
        duration=heavy(rng, n, 0.6, 0.9),
        sent=heavy(rng, n, _REPORT_SENT[product], 0.18),
        received=heavy(rng, n, _REPORT_RECEIVED[product], 0.3),
        turns=1 + rng.geometric(0.5, n),
    )


def _time_and_names(rng: Rng, n: int, clock: Clock, net: Network) -> Traffic:
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


def _office(rng: Rng, n: int, clock: Clock, net: Network) -> Traffic:
    """File shares and directory: people and the servers inside."""
    kind = rng.choice(3, n, p=[0.6, 0.2, 0.2])
    return Traffic.of(
        n,
        time=clock.working(rng, n),
        orig=pick(rng, n, net.people),
        resp=np.choose(kind, [net.files, net.dns, net.dns]),
        port=np.asarray([445, 389, 88])[kind],
        service=np.asarray(["smb", "ldap", "krb_tcp"])[kind],
        shape=pick(rng, n, _USUAL_ENDS, (0.76, 0.08, 0.05, 0.07, 0.01, 0.01, 0.01, 0.01)),
        duration=heavy(rng, n, np.asarray([25.0, 0.3, 0.05])[kind], 1.3),
        sent=np.where(kind == 0, heavy(rng, n, 5_000, 1.8), heavy(rng, n, 1_300, 0.6)),
        received=np.where(kind == 0, heavy(rng, n, 9_000, 2.0), heavy(rng, n, 1_500, 0.6)),
        turns=3 + rng.geometric(0.15, n),
    )


def _monitoring(rng: Rng, n: int, clock: Clock, net: Network) -> Traffic:
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


def _authorised_scan(rng: Rng, n: int, clock: Clock, net: Network) -> Traffic:
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


def _failures(rng: Rng, n: int, clock: Clock, net: Network) -> Traffic:
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


ACTIVITIES: tuple[tuple[Activity, float], ...] = (
    (_web, 0.334),
    (_visits, 0.085),
    (_slow_clients, 0.018),
    (_dns, 0.215),
    (_mail, 0.03),
    (_ssh, 0.03),
    (_uploads, 0.017),
    (_updates, 0.03),
    (_reports, 0.08),
    (_time_and_names, 0.04),
    (_office, 0.045),
    (_monitoring, 0.035),
    (_authorised_scan, 0.015),
    (_failures, 0.026),
)
"""Each activity with its share of the benign flows."""
