"""What people do with the network: one function per activity, n flows each."""

from __future__ import annotations

import numpy as np

from nids.datasets._traffic import (
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


def web(rng: Rng, n: int, clock: Clock, net: Network) -> Traffic:
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
        shape=np.where(quic, Shape.CLOSED, pick(rng, n, USUAL_ENDS, USUAL_WEIGHTS)),
        duration=heavy(rng, n, 1.4, 1.7),
        sent=np.where(rng.random(n) < 0.015, tail(rng, n, 2e5, 0.9), heavy(rng, n, 1_000, 1.0)),
        received=np.where(big, tail(rng, n, 1e5, 0.9), heavy(rng, n, 5_500, 1.6)),
        turns=1 + rng.geometric(0.3, n),
    )


def visits(rng: Rng, n: int, clock: Clock, net: Network) -> Traffic:
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
        shape=pick(rng, n, USUAL_ENDS, (0.74, 0.08, 0.05, 0.04, 0.02, 0.02, 0.04, 0.01)),
        duration=heavy(rng, n, 2.0, 1.6),
        sent=heavy(rng, n, 800, 0.8),
        received=heavy(rng, n, 9_000, 1.6),
        turns=1 + rng.geometric(0.35, n),
    )


def slow_clients(rng: Rng, n: int, clock: Clock, net: Network) -> Traffic:
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
        shape=pick(rng, n, USUAL_ENDS, weights),
        duration=heavy(rng, n, 110, 1.0),
        sent=heavy(rng, n, 750, 0.9),
        received=np.where(rng.random(n) < 0.15, 0, heavy(rng, n, 900, 1.5)),
        turns=3 + rng.geometric(0.09, n),
    )


def mail(rng: Rng, n: int, clock: Clock, net: Network) -> Traffic:
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
        shape=pick(rng, n, USUAL_ENDS, (0.82, 0.05, 0.04, 0.02, 0.01, 0.01, 0.03, 0.02)),
        duration=heavy(rng, n, np.where(kind == 2, 20.0, 2.5), 1.2),
        sent=np.where(kind == 2, heavy(rng, n, 1_200, 0.9), heavy_sent),
        received=np.where(kind == 2, heavy(rng, n, 9_000, 1.8), heavy(rng, n, 600, 0.5)),
        turns=5 + rng.geometric(0.2, n),
    )


def ssh(rng: Rng, n: int, clock: Clock, net: Network) -> Traffic:
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
        shape=pick(rng, n, USUAL_ENDS, (0.72, 0.08, 0.07, 0.04, 0.01, 0.01, 0.04, 0.03)),
        duration=heavy(rng, n, np.asarray([600.0, 2.5, 2.0, 3.5])[kind], np.asarray([1.4, 0.9, 0.8, 0.7])[kind]),
        sent=heavy(rng, n, np.asarray([9e3, 4e3, 2.4e3, 1.7e3])[kind], np.asarray([1.3, 1.1, 0.45, 0.3])[kind]),
        received=heavy(rng, n, np.asarray([3e4, 9e3, 3e3, 2.1e3])[kind], np.asarray([1.5, 1.6, 0.6, 0.3])[kind]),
        turns=np.asarray([60, 9, 9, 9])[kind] + rng.geometric(0.2, n),
    )


def uploads(rng: Rng, n: int, clock: Clock, net: Network) -> Traffic:
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
        shape=pick(rng, n, USUAL_ENDS, (0.80, 0.06, 0.05, 0.04, 0.01, 0.01, 0.02, 0.01)),
        duration=2.0 + sent / heavy(rng, n, 1.2e6, 1.1),
        sent=sent,
        received=heavy(rng, n, 3_000 + sent * 0.004, 0.9),
        turns=4 + rng.geometric(0.1, n),
    )


def office(rng: Rng, n: int, clock: Clock, net: Network) -> Traffic:
    """File shares and directory: people and the servers inside."""
    kind = rng.choice(3, n, p=[0.6, 0.2, 0.2])
    return Traffic.of(
        n,
        time=clock.working(rng, n),
        orig=pick(rng, n, net.people),
        resp=np.choose(kind, [net.files, net.dns, net.dns]),
        port=np.asarray([445, 389, 88])[kind],
        service=np.asarray(["smb", "ldap", "krb_tcp"])[kind],
        shape=pick(rng, n, USUAL_ENDS, (0.76, 0.08, 0.05, 0.07, 0.01, 0.01, 0.01, 0.01)),
        duration=heavy(rng, n, np.asarray([25.0, 0.3, 0.05])[kind], 1.3),
        sent=np.where(kind == 0, heavy(rng, n, 5_000, 1.8), heavy(rng, n, 1_300, 0.6)),
        received=np.where(kind == 0, heavy(rng, n, 9_000, 2.0), heavy(rng, n, 1_500, 0.6)),
        turns=3 + rng.geometric(0.15, n),
    )
