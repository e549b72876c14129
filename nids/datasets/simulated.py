"""Simulated traffic as a data set: made here, or read from a file that `nids simulate` wrote.

Zeek leaves `duration`, `orig_bytes`, `resp_bytes` and `service` unset (`-`) where there was nothing to measure: the
numbers become 0, the service the category `-`. Dots in Zeek's field names become underscores.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from nids.datasets._read_records import read_records
from nids.datasets._records import SUFFIXES, UNSET
from nids.datasets.base import FileFacts, FlowDataset, RawFlows
from nids.datasets.simulator import CLASSES, simulate_connections
from nids.errors import InputError
from nids.files import file_digest
from nids.schema import SOURCE_FILE, SOURCE_ROW, SPLIT, Column, FlowSchema, Kind
from nids.windows import COLUMNS as WINDOWED
from nids.windows import windowed_features

_STATES = ("S0", "S1", "SF", "REJ", "S2", "S3", "RSTO", "RSTR", "RSTOS0", "RSTRH", "SH", "SHR", "OTH")
_SERVICES = (
    UNSET,
    "dns",
    "http",
    "imap",
    "krb_tcp",
    "ldap",
    "mqtt",
    "ntp",
    "quic",
    "smb",
    "smtp",
    "snmp",
    "ssh",
    "ssl",
)
_PORTS = 65_535.0


def _count(name: str, description: str) -> Column:
    return Column(name, Kind.INTEGER, heavy_tailed=True, description=description)


SCHEMA = FlowSchema(
    name="simulated",
    title="Simulated network traffic (Zeek conn.log records from this project's seeded simulator)",
    features=(
        Column("duration", heavy_tailed=True, description="seconds from the first to the last packet, 0 where unset"),
        _count("orig_bytes", "payload bytes of the originator, 0 where unset"),
        _count("resp_bytes", "payload bytes of the responder, 0 where unset"),
        _count("orig_pkts", "packets of the originator"),
        _count("resp_pkts", "packets of the responder"),
        _count("orig_ip_bytes", "bytes of the originator with IP headers"),
        _count("resp_ip_bytes", "bytes of the responder with IP headers"),
        Column("id_resp_p", Kind.INTEGER, maximum=_PORTS, description="port of the responder; the code for ICMP"),
        Column("proto", Kind.CATEGORY, values=("tcp", "udp", "icmp"), description="transport protocol"),
        Column("service", Kind.CATEGORY, values=_SERVICES, description="recognised application protocol, - where none"),
        Column("conn_state", Kind.CATEGORY, values=_STATES, description="how the conversation went, in Zeek's terms"),
        *WINDOWED,
    ),
    classes=CLASSES,
    context=(
        Column("ts", Kind.TIME, description="start, seconds since 1970"),
        Column("uid", Kind.CATEGORY, description="Zeek's name of the flow"),
        Column("id_orig_h", Kind.CATEGORY, description="address of the originator"),
        Column("id_orig_p", Kind.INTEGER, maximum=_PORTS, description="port of the originator; the type for ICMP"),
        Column("id_resp_h", Kind.CATEGORY, description="address of the responder"),
        Column("missed_bytes", Kind.INTEGER, description="payload bytes the sensor did not see"),
        Column("history", Kind.CATEGORY, nullable=True, description="letters of what each side sent, unset for ICMP"),
    ),
    time="ts",
    simulated=True,
)


def read(path: Path) -> RawFlows:
    """Flow records from one file as `simulator.write_records` writes it: .csv, .log or .parquet.

    Row order stays that of the file. Rows with a cell that cannot be read are set aside before the windowed features
    are computed, so that they count in nobody's window.

    Raises:
        InputError: there is no such file, it is a folder, empty, damaged, not UTF-8, or has other columns.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f"Expected one file of flow records ({', '.join(SUFFIXES)}). Received: the folder {path}")
    if not path.is_file():
        raise InputError(f"Expected a file of flow records at {path}. Received: no such file")
    records, unreadable = read_records(path)
    rows = records.height + unreadable.height
    facts: FileFacts = {"file": path.name, "rows": rows, "sha256": file_digest(path)}
    return RawFlows(_flows(records, path.name), unreadable, about={"files": [facts]})


def simulate(n_flows: int, seed: int) -> RawFlows:
    """n_flows simulated flow records; InputError where `simulate_connections` refuses."""
    records = simulate_connections(n_flows, seed).with_row_index(SOURCE_ROW, offset=1)
    return RawFlows(_flows(records, "simulated"), about={"simulated": {"flows": n_flows, "seed": seed}})


def _flows(records: pl.DataFrame, source: str) -> pl.DataFrame:
    """Records with `source_row`, in Zeek's names, as flows in the columns of SCHEMA."""
    flows = records.rename(lambda name: name.replace(".", "_")).with_columns(
        pl.col("duration", "orig_bytes", "resp_bytes").fill_null(0),
        pl.col("service").fill_null(UNSET),
        pl.lit(None).alias(SPLIT),
        pl.lit(source).alias(SOURCE_FILE),
    )
    flows = flows.hstack(windowed_features(flows))
    return flows.select(pl.col(name).cast(dtype) for name, dtype in SCHEMA.polars_schema().items())


DATASET = FlowDataset(schema=SCHEMA, read=read, simulate=simulate)
