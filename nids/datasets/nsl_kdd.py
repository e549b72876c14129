"""NSL-KDD: `KDDTrain+.txt` and `KDDTest+.txt`, with the authors' split.

M. Tavallaee, E. Bagheri, W. Lu, A. Ghorbani, "A Detailed Analysis of the KDD CUP 99 Data Set", IEEE CISDA 2009.
The files have no header: 41 features, the attack name, and a difficulty level, which says how many of the authors'
classifiers got the row right and so must never be a feature.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from nids.datasets._delimited import Delimited, read_delimited
from nids.datasets._folder import find_file, missing_file, open_folder
from nids.datasets.base import FlowDataset, RawFlows
from nids.schema import LABEL, SPLIT, Column, FlowSchema, Kind

TITLE = "NSL-KDD (University of New Brunswick, 2009)"

FILES = {"train": "KDDTrain+.txt", "test": "KDDTest+.txt"}
"""Official file per side of the split."""

_OFFICIAL = {
    "train": "1b86d2f957b33082081bba410fe129b475efebcc13c9014c3f447c8271aadf95",
    "test": "fa46b0935342616aa83b7c2578db355b6a7aaabbc492248172c7a1e8b7ab8f84",
}
"""sha256 of the unpacked official files."""

CATEGORIES = {
    "normal": "normal",
    "dos": "back land neptune pod smurf teardrop apache2 mailbomb processtable udpstorm",
    "probe": "ipsweep nmap portsweep satan mscan saint",
    "r2l": (
        "ftp_write guess_passwd imap multihop phf spy warezclient warezmaster "
        "httptunnel named sendmail snmpgetattack snmpguess worm xlock xsnoop"
    ),
    "u2r": "buffer_overflow loadmodule perl rootkit ps sqlattack xterm",
}
"""Attack names per class. Some papers count httptunnel as u2r; the published category counts count it as r2l."""

_CLASS_OF = {attack: category for category, attacks in CATEGORIES.items() for attack in attacks.split()}

_SERVICES = (
    "IRC X11 Z39_50 aol auth bgp courier csnet_ns ctf daytime discard domain domain_u echo eco_i ecr_i efs exec finger "
    "ftp ftp_data gopher harvest hostnames http http_2784 http_443 http_8001 imap4 iso_tsap klogin kshell ldap link "
    "login mtp name netbios_dgm netbios_ns netbios_ssn netstat nnsp nntp ntp_u other pm_dump pop_2 pop_3 printer "
    "private red_i remote_job rje shell smtp sql_net ssh sunrpc supdup systat telnet tftp_u tim_i time urh_i urp_i "
    "uucp uucp_path vmnet whois"
)
_FLAGS = "OTH REJ RSTO RSTOS0 RSTR S0 S1 S2 S3 SF SH"


def _words(name: str, values: str, description: str) -> Column:
    return Column(name, Kind.CATEGORY, minimum=None, values=tuple(values.split()), description=description)


def _count(name: str, description: str, *, maximum: float | None = None, heavy_tailed: bool = False) -> Column:
    return Column(name, Kind.INTEGER, maximum=maximum, heavy_tailed=heavy_tailed, description=description)


def _tail(name: str, description: str, maximum: float | None = None) -> Column:
    return _count(name, description, maximum=maximum, heavy_tailed=True)


def _flag(name: str, description: str) -> Column:
    return _count(name, description, maximum=1)


def _rate(name: str, description: str) -> Column:
    return Column(name, Kind.FLOAT, maximum=1, description=f"share of {description}")


_SAME_HOST = "the connections to the same host in the past two seconds"
_SAME_SERVICE = "the connections to the same service in the past two seconds"
_HOST_WINDOW = "the past connections to the same host (counted up to 255)"

_FEATURES = (
    _tail("duration", "length of the connection in seconds"),
    _words("protocol_type", "icmp tcp udp", "transport protocol"),
    _words("service", _SERVICES, "network service at the destination"),
    _words("flag", _FLAGS, "state of the connection"),
    _tail("src_bytes", "bytes from source to destination"),
    _tail("dst_bytes", "bytes from destination to source"),
    _flag("land", "1 where source and destination have the same address and port"),
    _count("wrong_fragment", "wrong fragments"),
    _count("urgent", "urgent packets"),
    _tail("hot", "hot indicators, such as entering a system directory"),
    _count("num_failed_logins", "failed logins"),
    _flag("logged_in", "1 after a successful login"),
    _tail("num_compromised", "compromised conditions"),
    _flag("root_shell", "1 where a root shell was obtained"),
    _count("su_attempted", "'su root' attempts; documented as a flag, yet 2 occurs in the official file", maximum=2),
    _tail("num_root", "root accesses"),
    _tail("num_file_creations", "file creations"),
    _count("num_shells", "shell prompts"),
    _count("num_access_files", "operations on access-control files"),
    _count("num_outbound_cmds", "outbound commands in an FTP session; 0 throughout the official files"),
    _flag("is_host_login", "1 where the login is on the hot list"),
    _flag("is_guest_login", "1 for a guest login"),
    _tail("count", _SAME_HOST, maximum=511),
    _tail("srv_count", _SAME_SERVICE, maximum=511),
    _rate("serror_rate", f"SYN errors among {_SAME_HOST}"),
    _rate("srv_serror_rate", f"SYN errors among {_SAME_SERVICE}"),
    _rate("rerror_rate", f"REJ errors among {_SAME_HOST}"),
    _rate("srv_rerror_rate", f"REJ errors among {_SAME_SERVICE}"),
    _rate("same_srv_rate", f"the same service among {_SAME_HOST}"),
    _rate("diff_srv_rate", f"other services among {_SAME_HOST}"),
    _rate("srv_diff_host_rate", f"other hosts among {_SAME_SERVICE}"),
    _count("dst_host_count", _HOST_WINDOW, maximum=255),
    _count("dst_host_srv_count", f"{_HOST_WINDOW} and service", maximum=255),
    _rate("dst_host_same_srv_rate", f"the same service among {_HOST_WINDOW}"),
    _rate("dst_host_diff_srv_rate", f"other services among {_HOST_WINDOW}"),
    _rate("dst_host_same_src_port_rate", f"the same source port among {_HOST_WINDOW}"),
    _rate("dst_host_srv_diff_host_rate", f"other source hosts among {_HOST_WINDOW} and service"),
    _rate("dst_host_serror_rate", f"SYN errors among {_HOST_WINDOW}"),
    _rate("dst_host_srv_serror_rate", f"SYN errors among {_HOST_WINDOW} and service"),
    _rate("dst_host_rerror_rate", f"REJ errors among {_HOST_WINDOW}"),
    _rate("dst_host_srv_rerror_rate", f"REJ errors among {_HOST_WINDOW} and service"),
)

SCHEMA = FlowSchema(
    name="nsl-kdd",
    title=TITLE,
    features=_FEATURES,
    classes=tuple(CATEGORIES),
    context=(
        Column("attack", Kind.CATEGORY, minimum=None, description="attack name"),
        Column("difficulty", Kind.INTEGER, maximum=21, description="of 21 classifiers, how many got the row right"),
    ),
    attack="attack",
)

_COLUMNS = {column.name: column.kind for column in (*SCHEMA.features, *SCHEMA.context)}


def read(path: Path) -> RawFlows:
    """Both official files from a folder, plain or .gz; `split` says which of the two a row comes from.

    An attack name that is not in `CATEGORIES` becomes the label as it is, for data validation to name.

    Raises:
        InputError: the folder or one of the files is missing, or a file is not of this data set.
    """
    folder = open_folder(path, TITLE, list(FILES.values()))
    paths = {side: find_file(folder, name) for side, name in FILES.items()}
    sides: dict[str, Delimited] = {}
    for side, file in paths.items():
        if file is None:
            raise missing_file(folder, TITLE, [FILES[side]])
        sides[side] = read_delimited(file, _COLUMNS, title=TITLE, header=False)
    return RawFlows(
        frame=pl.concat([_labelled(part.frame, side) for side, part in sides.items()]),
        unreadable=pl.concat([part.unreadable for part in sides.values()]),
        about={
            "files": [
                {**part.about, "split": side, "official": part.about["sha256_unpacked"] == _OFFICIAL[side]}
                for side, part in sides.items()
            ],
            "split_note": "The authors' split: KDDTrain+ for training, KDDTest+ for testing.",
        },
    )


def _labelled(frame: pl.DataFrame, side: str) -> pl.DataFrame:
    return frame.with_columns(
        pl.col("attack").replace(_CLASS_OF).alias(LABEL),
        pl.lit(side).alias(SPLIT),
    ).select(*SCHEMA.polars_schema())


DATASET = FlowDataset(SCHEMA, read)
