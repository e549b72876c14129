"""UNSW-NB15: the official `UNSW_NB15_training-set.csv` and `UNSW_NB15_testing-set.csv`, or one of them.

N. Moustafa, J. Slay, "UNSW-NB15: a comprehensive data set for network intrusion detection systems", MilCIS 2015.

The two names are swapped in many mirrors. What tells the files apart is their row count, 175,341 for training and
82,332 for testing: a file with the other's count is refused, since figures on swapped files are not comparable.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from nids.datasets._delimited import Delimited, read_delimited
from nids.datasets._folder import find_file, missing_file, open_folder
from nids.datasets.base import FlowDataset, RawFlows
from nids.errors import InputError
from nids.schema import LABEL, SOURCE_FILE, SOURCE_ROW, SPLIT, Column, FlowSchema, Kind

TITLE = "UNSW-NB15 (UNSW Canberra, 2015)"

FILES = {"train": "UNSW_NB15_training-set.csv", "test": "UNSW_NB15_testing-set.csv"}
"""Official file per side of the split."""

OFFICIAL_ROWS = {"train": 175_341, "test": 82_332}

_OFFICIAL = {
    "train": "bec7dd5ec88dc2a0ccc7a07879d338395ed7421750f675fd0339e07dfe0648fa",
    "test": "734fe6642edf758f7c94d7d9149426b49d202fe8e7bf0bef47392489c3c0a559",
}
"""sha256 of the unpacked official files."""

CLASSES = (
    "Normal",
    "Generic",
    "Exploits",
    "Fuzzers",
    "DoS",
    "Reconnaissance",
    "Analysis",
    "Backdoor",
    "Shellcode",
    "Worms",
)

_PORT_COUNT = "of the last 100 connections, those with the same "


def _count(name: str, description: str, *, maximum: float | None = None, heavy_tailed: bool = False) -> Column:
    return Column(name, Kind.INTEGER, maximum=maximum, heavy_tailed=heavy_tailed, description=description)


def _tail(name: str, description: str, kind: Kind = Kind.FLOAT) -> Column:
    return Column(name, kind, heavy_tailed=True, description=description)


def _recent(name: str, same: str) -> Column:
    return _count(name, _PORT_COUNT + same, maximum=100, heavy_tailed=True)


def _words(name: str, values: str, description: str) -> Column:
    return Column(name, Kind.CATEGORY, minimum=None, values=tuple(values.split()), description=description)


_FEATURES = (
    _tail("dur", "duration in seconds"),
    _words("proto", "", "transport protocol"),
    _words("service", "- dhcp dns ftp ftp-data http irc pop3 radius smtp snmp ssh ssl", "service; - for none known"),
    _words("state", "ACC CLO CON ECO FIN INT MAS PAR REQ RST TST TXD URH URN no -", "state of the transaction"),
    _tail("spkts", "packets from source to destination", Kind.INTEGER),
    _tail("dpkts", "packets from destination to source", Kind.INTEGER),
    _tail("sbytes", "bytes from source to destination", Kind.INTEGER),
    _tail("dbytes", "bytes from destination to source", Kind.INTEGER),
    _tail("rate", "packets per second"),
    _count("sttl", "time to live, source to destination", maximum=255),
    _count("dttl", "time to live, destination to source", maximum=255),
    _tail("sload", "bits per second of the source"),
    _tail("dload", "bits per second of the destination"),
    _tail("sloss", "packets of the source retransmitted or dropped", Kind.INTEGER),
    _tail("dloss", "packets of the destination retransmitted or dropped", Kind.INTEGER),
    _tail("sinpkt", "milliseconds between packets of the source"),
    _tail("dinpkt", "milliseconds between packets of the destination"),
    _tail("sjit", "jitter of the source in milliseconds"),
    _tail("djit", "jitter of the destination in milliseconds"),
    _count("swin", "TCP window of the source", maximum=255),
    _count("stcpb", "first TCP sequence number of the source", maximum=2**32 - 1),
    _count("dtcpb", "first TCP sequence number of the destination", maximum=2**32 - 1),
    _count("dwin", "TCP window of the destination", maximum=255),
    Column("tcprtt", description="TCP connection setup time in seconds: synack + ackdat"),
    Column("synack", description="seconds from SYN to SYN-ACK"),
    Column("ackdat", description="seconds from SYN-ACK to ACK"),
    _count("smean", "mean packet size of the source in bytes", maximum=65535),
    _count("dmean", "mean packet size of the destination in bytes", maximum=65535),
    _tail("trans_depth", "depth in the connection of an HTTP request and its response", Kind.INTEGER),
    _tail("response_body_len", "bytes of the body of the HTTP response", Kind.INTEGER),
    _recent("ct_srv_src", "service and source"),
    _count("ct_state_ttl", "number of the state's range of times to live", maximum=6),
    _recent("ct_dst_ltm", "destination"),
    _recent("ct_src_dport_ltm", "source and destination port"),
    _recent("ct_dst_sport_ltm", "destination and source port"),
    _recent("ct_dst_src_ltm", "source and destination"),
    _count("is_ftp_login", "FTP logins; documented as a flag, yet larger values occur in the official files"),
    _count("ct_ftp_cmd", "flows with an FTP command"),
    _count("ct_flw_http_mthd", "flows with an HTTP method such as GET or POST"),
    _recent("ct_src_ltm", "source"),
    _recent("ct_srv_dst", "service and destination"),
    _count("is_sm_ips_ports", "1 where source and destination have the same address and port", maximum=1),
)

SCHEMA = FlowSchema(name="unsw-nb15", title=TITLE, features=_FEATURES, classes=CLASSES)

_ID, _CATEGORY, _BINARY = "id", "attack_cat", "label"
_COLUMNS = {
    _ID: Kind.INTEGER,
    **{column.name: column.kind for column in SCHEMA.features},
    _CATEGORY: Kind.CATEGORY,
    _BINARY: Kind.INTEGER,
}


def read(path: Path) -> RawFlows:
    """The official files in a folder, plain or .gz.

    With both, `split` says which of the two a row comes from. With one alone `split` is null, and
    `about["split_note"]` says so. A row whose two labels contradict each other is unreadable.

    Raises:
        InputError: neither file is there, a file is not of this data set, or the two names are swapped.
    """
    folder = open_folder(path, TITLE, list(FILES.values()))
    paths = {side: file for side, name in FILES.items() if (file := find_file(folder, name)) is not None}
    if not paths:
        raise missing_file(folder, TITLE, list(FILES.values()))
    sides = {side: read_delimited(file, _COLUMNS, title=TITLE, optional=(_ID,)) for side, file in paths.items()}
    for side, part in sides.items():
        _check_not_swapped(folder, side, part)
    readable = {side: _labelled(part, side if len(sides) == 2 else None) for side, part in sides.items()}
    return RawFlows(
        frame=pl.concat([frame for frame, _ in readable.values()]),
        unreadable=pl.concat([unreadable for _, unreadable in readable.values()]),
        about={
            "files": [
                {**part.about, "split": side, "official": part.about["sha256_unpacked"] == _OFFICIAL[side]}
                for side, part in sides.items()
            ],
            "split_note": _split_note(sides),
        },
    )


def _check_not_swapped(folder: Path, side: str, part: Delimited) -> None:
    other = "test" if side == "train" else "train"
    if part.about["rows"] == OFFICIAL_ROWS[other]:
        raise InputError(
            f"Expected {OFFICIAL_ROWS[side]:,} rows in {part.about['file']} of {TITLE}. Received: "
            f"{OFFICIAL_ROWS[other]:,} rows, those of {FILES[other]}: the two names are swapped in this copy, "
            f"rename the files in {folder}"
        )


def _split_note(sides: dict[str, Delimited]) -> str:
    if len(sides) == 2:
        short = [FILES[side] for side in FILES if sides[side].about["rows"] != OFFICIAL_ROWS[side]]
        note = "The authors' split: UNSW_NB15_training-set for training, UNSW_NB15_testing-set for testing."
        return note + (f" {' and '.join(short)} has not its official number of rows." if short else "")
    side = next(iter(sides))
    name = {"train": "training", "test": "testing"}
    other = "test" if side == "train" else "train"
    return (
        f"Only the official {name[side]} set was given ({FILES[side]}), without {FILES[other]}: training, validation "
        "and test rows are a seeded stratified split of it, and figures are not comparable with published ones."
    )


def _labelled(part: Delimited, side: str | None) -> tuple[pl.DataFrame, pl.DataFrame]:
    frame = part.frame
    says_attack = pl.col(_BINARY) == 1
    # Where one of the two labels is empty the filter yields null: the row stays, for validation to name the null.
    contradicting = ((pl.col(_CATEGORY) != CLASSES[0]) != says_attack) | ~pl.col(_BINARY).is_in([0, 1])
    bad = frame.filter(contradicting)
    unreadable = bad.select(
        SOURCE_FILE,
        SOURCE_ROW,
        pl.lit(_BINARY).alias("column"),
        pl.format(
            "Expected 'label' to be 0 for Normal and 1 for an attack. Received: {} with attack_cat '{}'",
            pl.col(_BINARY),
            pl.col(_CATEGORY),
        ).alias("reason"),
        pl.Series("text", [part.lines[row - 1] for row in bad[SOURCE_ROW].to_list()], dtype=pl.String),
    )
    kept = (
        frame.filter(~contradicting.fill_null(value=False))
        .with_columns(pl.col(_CATEGORY).alias(LABEL), pl.lit(side, dtype=pl.String).alias(SPLIT))
        .select(*SCHEMA.polars_schema())
    )
    return kept, pl.concat([part.unreadable, unreadable]).sort(SOURCE_ROW)


DATASET = FlowDataset(SCHEMA, read)
