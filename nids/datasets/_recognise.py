"""Telling by its name or first line which published data set a file belongs to, so that a mix-up is named."""

from __future__ import annotations

from collections.abc import Sequence

_HEADERS: tuple[tuple[str, frozenset[str]], ...] = (
    ("UNSW-NB15", frozenset({"attack_cat", "ct_state_ttl"})),
    ("Bot-IoT", frozenset({"pkseqid"})),
    ("CICIoT2023", frozenset({"iat", "tot sum"})),
    ("CIC-IDS2017 or another CICFlowMeter output", frozenset({"flow duration"})),
    ("NSL-KDD with a header line", frozenset({"dst_host_srv_count", "protocol_type"})),
    ("a Zeek conn.log", frozenset({"conn_state", "orig_bytes"})),
)
_NAMES: tuple[tuple[str, str], ...] = (
    ("UNSW-NB15", "unsw_nb15_"),
    ("NSL-KDD", "kddtrain+"),
    ("NSL-KDD", "kddtest+"),
    ("KDD Cup 99", "kddcup.data"),
    ("KDD Cup 99", "corrected"),
    ("CICIoT2023", "ciciot2023"),
    ("a Zeek conn.log", "conn.log"),
)
_KDD_PROTOCOLS = {"tcp", "udp", "icmp"}


def recognise(cells: Sequence[str]) -> str | None:
    """Name of the data set whose files start with a line of these cells; None where it cannot be told."""
    names = {cell.strip().lower() for cell in cells}
    for title, marks in _HEADERS:
        if marks <= names:
            return title
    if len(cells) in (42, 43) and cells[1] in _KDD_PROTOCOLS:
        return "KDD Cup 99" if cells[41].endswith(".") else "NSL-KDD"
    if cells and cells[0].startswith("#separator"):
        return "a Zeek log with its own header"
    return None


def recognise_name(name: str) -> str | None:
    """Name of the data set that publishes files of this name; None where it cannot be told."""
    return next((title for title, start in _NAMES if name.lower().startswith(start)), None)
