from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import f1_score
from sklearn.tree import DecisionTreeClassifier
from threadpoolctl import threadpool_limits

from nids.datasets.simulated import SCHEMA, simulate
from nids.datasets.simulator import CLASSES, LEAST_PER_CLASS, MINIMUM_FLOWS, simulate_connections, write_records
from nids.errors import InputError

N = 20_000
SEEDS = (0, 1, 2)
TRAIN, TEST = slice(0, N * 65 // 100), slice(N * 80 // 100, N)


@pytest.fixture(scope="module")
def records() -> pl.DataFrame:
    return simulate_connections(N, 0)


@pytest.fixture(scope="module", params=SEEDS)
def table(request) -> tuple[np.ndarray, np.ndarray]:
    """Features, windowed ones included, with categories as codes, and class indices."""
    flows = simulate(N, request.param).frame
    columns = [
        flows[c.name].rank("dense").to_numpy() if c.is_category else flows[c.name].to_numpy() for c in SCHEMA.features
    ]
    return np.column_stack(columns).astype(float), np.array([CLASSES.index(label) for label in flows["label"]])


def tree(X: np.ndarray, y: np.ndarray, **options) -> np.ndarray:
    """Predictions for the last fifth of a decision tree fitted on the first 65 %."""
    return DecisionTreeClassifier(random_state=0, **options).fit(X[TRAIN], y[TRAIN]).predict(X[TEST])


# -- the promise: rows, order, seed ------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [MINIMUM_FLOWS, 1_001, 4_321])
def test_there_are_exactly_as_many_flows_as_asked_each_with_its_own_uid(n):
    simulated = simulate_connections(n, 3)
    assert simulated.height == n
    assert simulated["uid"].n_unique() == n


def test_same_seed_same_records_and_another_seed_others():
    first, second, other = (simulate_connections(2_000, seed) for seed in (5, 5, 6))
    assert first.equals(second)
    assert not first.drop("ts").equals(other.drop("ts"))


def test_flows_are_in_order_of_time(records):
    assert records["ts"].is_sorted()


def test_the_fewest_flows_still_hold_each_class():
    counts = dict(simulate_connections(MINIMUM_FLOWS, 0)["label"].value_counts().iter_rows())
    assert set(counts) == set(CLASSES)
    assert min(counts.values()) >= LEAST_PER_CLASS


def test_fewer_flows_than_that_are_refused_by_the_name_of_the_flag():
    with pytest.raises(InputError, match=r"--flows of at least 1000.*Received: 999"):
        simulate_connections(MINIMUM_FLOWS - 1, 0)


def test_a_negative_seed_is_refused_by_the_name_of_the_flag():
    with pytest.raises(InputError, match=r"--seed.*Received: -1"):
        simulate_connections(MINIMUM_FLOWS, -1)


# -- balance -----------------------------------------------------------------------------------------------------------


def test_nine_flows_in_ten_are_benign_and_the_rarest_class_is_below_one_in_a_hundred(records):
    shares = {name: count / N for name, count in records["label"].value_counts().iter_rows()}
    assert 0.88 < shares["benign"] < 0.95
    assert shares["exfiltration"] < 0.01


@pytest.mark.parametrize("seed", range(6))
def test_each_part_of_a_split_by_time_holds_flows_of_every_class(seed):
    labels = simulate_connections(N, seed)["label"]
    for start, end in ((0, 0.65), (0.65, 0.8), (0.8, 1)):
        counts = dict(labels[int(start * N) : int(end * N)].value_counts().iter_rows())
        assert min(counts.get(name, 0) for name in CLASSES) >= 8, (start, counts)


# -- realism -----------------------------------------------------------------------------------------------------------


def test_work_is_done_by_day(records):
    hour = (pl.col("ts") % 86_400) // 3600
    assert records.filter(hour.is_between(10, 11)).height > 4 * records.filter(hour.is_between(2, 3)).height


@pytest.mark.parametrize("column", ["orig_bytes", "resp_bytes", "duration"])
def test_sizes_are_heavy_tailed(records, column):
    values = records[column].drop_nulls()
    assert values.mean() > 10 * values.median()


def test_bytes_on_the_wire_cover_payload_and_headers(records):
    for side in ("orig", "resp"):
        headers = pl.col(f"{side}_ip_bytes") - pl.col(f"{side}_bytes").fill_null(0)
        assert records.select((headers >= 20 * pl.col(f"{side}_pkts")).all()).item()
        assert records.filter((pl.col(f"{side}_bytes") > 0) & (pl.col(f"{side}_pkts") == 0)).is_empty()
        assert records.filter((pl.col(f"{side}_ip_bytes") > 0) != (pl.col(f"{side}_pkts") > 0)).is_empty()


@pytest.mark.parametrize("state", ["S0", "RSTOS0"])
def test_a_responder_that_never_answered_sent_nothing(records, state):
    silent = records.filter(pl.col("conn_state") == state)
    assert silent.height > 10
    assert silent.select((pl.col("resp_pkts") + pl.col("resp_bytes").fill_null(0)).sum()).item() == 0


def test_a_rejected_connection_carried_no_payload(records):
    rejected = records.filter(pl.col("conn_state") == "REJ")
    assert rejected.height > 100
    assert rejected.select((pl.col("orig_bytes") + pl.col("resp_bytes")).sum()).item() == 0


@pytest.mark.parametrize(
    ("state", "pattern"),
    [
        ("SF", "^ShA[aDdg]*Ff$"),
        ("S0", "^S$"),
        ("REJ", "^Sr$"),
        ("S1", "^Sh(A[aDdg]*)?$"),
        ("S2", "^ShA[aDdg]*F$"),
        ("S3", "^ShA[aDdg]*f$"),
        ("RSTO", "^Sh(A[aDdg]*)?R$"),
        ("RSTR", "^ShA[aDdg]*r$"),
        ("RSTOS0", "^SR$"),
    ],
)
def test_the_history_of_a_tcp_flow_tells_its_state(records, state, pattern):
    histories = records.filter((pl.col("proto") == "tcp") & (pl.col("conn_state") == state))["history"]
    assert len(histories) > 0
    assert histories.str.contains(pattern).all()


@pytest.mark.parametrize(("letter", "column"), [("D", "orig_bytes"), ("d", "resp_bytes")])
def test_the_history_of_a_tcp_flow_names_who_sent_payload(records, letter, column):
    tcp = records.filter((pl.col("proto") == "tcp") & pl.col(column).is_not_null())
    assert tcp.select((pl.col("history").str.contains(letter) == (pl.col(column) > 0)).all()).item()


def test_a_flow_of_one_packet_has_no_duration_and_no_payload_to_log(records):
    single = pl.col("orig_pkts") + pl.col("resp_pkts") == 1
    for column in ("duration", "orig_bytes", "resp_bytes"):
        assert records.select((pl.col(column).is_null() == single).all()).item()


def test_every_flow_takes_at_least_one_packet_and_ports_are_ports(records):
    assert records.select((pl.col("orig_pkts") >= 1).all()).item()
    assert records.select(pl.col("id.orig_p", "id.resp_p").is_between(0, 65_535).all()).row(0) == (True, True)


def test_compromised_hosts_make_benign_traffic_too(records):
    inside = records.filter(pl.col("id.orig_h").str.starts_with("10."), pl.col("label") != "benign")["id.orig_h"]
    assert inside.n_unique() >= 5
    benign = records.filter(pl.col("label") == "benign")["id.orig_h"]
    assert set(inside) <= set(benign)


def test_each_attack_shares_its_ports_and_targets_with_benign_traffic(records):
    benign = records.filter(label="benign")
    for name in CLASSES[1:]:
        attack = records.filter(label=name)
        assert attack["id.resp_h"].is_in(benign["id.resp_h"].unique().to_list()).mean() > 0.4, name
        if name != "port_scan":
            assert attack["id.resp_p"].is_in(benign["id.resp_p"].unique().to_list()).mean() > 0.9, name


# -- difficulty --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("class_weight", [None, "balanced"])
def test_a_tree_of_depth_two_does_not_solve_it(table, class_weight):
    X, y = table
    macro = f1_score(y[TEST], tree(X, y, max_depth=2, class_weight=class_weight), average="macro")
    binary = f1_score(y[TEST] > 0, tree(X, y > 0, max_depth=2, class_weight=class_weight))
    assert macro < 0.4
    assert binary < 0.7


@pytest.mark.parametrize("class_weight", [None, "balanced"])
def test_no_single_feature_gives_a_class_away(table, class_weight):
    X, y = table
    for index, column in enumerate(SCHEMA.features):
        options = {"max_leaf_nodes": 30, "min_samples_leaf": 5, "class_weight": class_weight}
        predicted = tree(X[:, [index]], y, **options)
        scores = f1_score(y[TEST], predicted, average=None, labels=range(1, len(CLASSES)), zero_division=0)
        assert scores.max() < 0.8, (column.name, scores)


@pytest.mark.slow
def test_gradient_boosting_does_well_but_not_perfectly(table):
    X, y = table
    model = HistGradientBoostingClassifier(random_state=0, max_iter=80, early_stopping=False, l2_regularization=1.0)
    with threadpool_limits(1):  # on a busy machine its threads wait for each other a hundred times longer
        predicted = model.fit(X[TRAIN], y[TRAIN]).predict(X[TEST])
    assert 0.7 < f1_score(y[TEST], predicted, average="macro") < 0.95


# -- files -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["flows.csv", "flows.parquet", "flows.log", "FLOWS.CSV"])
def test_same_seed_same_bytes_in_every_format(tmp_path, name):
    first, second = tmp_path / "a" / name, tmp_path / "b" / name
    write_records(first, 1_000, 4)
    write_records(second, 1_000, 4)
    assert first.read_bytes() == second.read_bytes()
    assert [p.name for p in first.parent.iterdir()] == [name]


def test_a_log_has_zeeks_header_and_a_dash_for_what_is_unset(tmp_path):
    write_records(tmp_path / "conn.log", 1_000, 0)
    lines = (tmp_path / "conn.log").read_text().splitlines()
    assert lines[0] == "#separator \\x09"
    fields = next(line for line in lines if line.startswith("#fields")).split("\t")[1:]
    types = next(line for line in lines if line.startswith("#types")).split("\t")[1:]
    assert fields[:3] == ["ts", "uid", "id.orig_h"]
    assert fields[-1] == "label"
    assert types[:3] == ["time", "string", "addr"]
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    assert len(rows) == 1_000
    assert {len(row) for row in rows} == {len(fields)}
    assert any(row[fields.index("duration")] == "-" for row in rows)
    assert not any("" in row for row in rows)


@pytest.mark.parametrize("name", ["flows.json", "flows", "flows.csv.gz"])
def test_an_unknown_extension_is_refused_by_the_name_of_the_flag(tmp_path, name):
    with pytest.raises(InputError, match=r"--output to end in .csv, .log, .parquet"):
        write_records(tmp_path / name, 1_000, 0)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_as_output_is_refused(tmp_path):
    (tmp_path / "flows.csv").mkdir()
    with pytest.raises(InputError, match=r"--output to be a file"):
        write_records(tmp_path / "flows.csv", 1_000, 0)


def test_an_output_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"--output to be a file that can be written"):
        write_records(tmp_path / "file" / "flows.csv", 1_000, 0)


def test_a_refused_number_of_flows_leaves_the_old_file_alone(tmp_path):
    (tmp_path / "flows.csv").write_text("old")
    with pytest.raises(InputError, match="--flows"):
        write_records(tmp_path / "flows.csv", 10, 0)
    assert (tmp_path / "flows.csv").read_text() == "old"
