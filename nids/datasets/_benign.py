"""The benign traffic of a small company.

Several resemble attacks: the authorised scanner and the monitor fan out, clients retry against dead servers, scripts
log in by SSH in bursts, devices report home at fixed intervals, people upload, slow clients hold connections open.
"""

from __future__ import annotations

from nids.datasets import _benign_machines as machines
from nids.datasets import _benign_people as people
from nids.datasets._traffic import Activity

ACTIVITIES: tuple[tuple[Activity, float], ...] = (
    (people.web, 0.334),
    (people.visits, 0.085),
    (people.slow_clients, 0.018),
    (machines.dns, 0.215),
    (people.mail, 0.03),
    (people.ssh, 0.03),
    (people.uploads, 0.017),
    (machines.updates, 0.03),
    (machines.reports, 0.08),
    (machines.time_and_names, 0.04),
    (people.office, 0.045),
    (machines.monitoring, 0.035),
    (machines.authorised_scan, 0.015),
    (machines.failures, 0.026),
)
"""Each activity with its share of the benign flows."""
