"""Flows that occur more than once: how many, on which side of an official split, under how many labels.

They are reported and kept: taking them out would change an official split, and figures could no longer be compared.
"""

from __future__ import annotations

import polars as pl

from nids.schema import LABEL, SPLIT, FlowSchema


def count_duplicates(frame: pl.DataFrame, schema: FlowSchema) -> dict[str, int]:
    """Numbers of rows.

    Returns:
        `repeated`: rows equal in features and label to an earlier one.
        `contradicting`: rows whose features occur under another label too.
        `test_rows_seen_in_train`: rows of the official test side whose features occur on the training side.
        `official_test_rows`: rows of the official test side.
    """
    features = list(schema.feature_names)
    groups = frame.group_by(features).agg(
        rows=pl.len(),
        labels=pl.col(LABEL).n_unique(),
        train=(pl.col(SPLIT) == "train").sum(),
        test=(pl.col(SPLIT) == "test").sum(),
    )
    return {
        "repeated": int(groups["rows"].sum()) - int(groups["labels"].sum()),
        "contradicting": int(groups.filter(pl.col("labels") > 1)["rows"].sum()),
        "test_rows_seen_in_train": int(groups.filter(pl.col("train") > 0)["test"].sum()),
        "official_test_rows": int(groups["test"].sum()),
    }
