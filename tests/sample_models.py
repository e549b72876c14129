"""Random flows, and plain models of them as the training room leaves them, for tests from export to serving."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl


@dataclass(frozen=True)
class ModelUnderTest:
    """A model folder (`nids.artifacts.ModelFiles`) and a test split that fits it, on disk. Not to be changed."""

    root: Path
    test: Path


def random_flows(schema, rows: int, seed: int) -> pl.DataFrame:
    """Valid records of `schema` with random values, in the columns of `flows.parquet`."""
    rng = np.random.default_rng(seed)
    columns = {}
    for column in (*schema.features, *schema.context):
        if column.is_category:
            columns[column.name] = rng.choice(column.values or ("one", "two"), rows)
        elif column.heavy_tailed:
            columns[column.name] = np.minimum(rng.lognormal(3, 3, rows), column.maximum or 1e9)
        else:
            columns[column.name] = rng.uniform(column.minimum or 0, column.maximum or 10, rows)
    columns |= {
        "label": rng.choice(schema.classes, rows),
        "split": np.full(rows, "test"),
        "source_file": np.full(rows, "KDDTest+.txt"),
        "source_row": np.arange(1, rows + 1),
    }
    kinds = schema.polars_schema()
    return pl.DataFrame({name: pl.Series(name, columns[name]).cast(kind) for name, kind in kinds.items()})


def dense_model(layout, n_classes: int, seed: int = 1):
    """A plain Keras model of the inputs of `layout`, with random weights."""
    import keras

    keras.utils.set_random_seed(seed)
    inputs, parts = {}, []
    if layout.numbers:
        inputs["numbers"] = keras.Input((len(layout.numbers),), name="numbers")
        parts.append(inputs["numbers"])
    if layout.codes:
        inputs["codes"] = keras.Input((len(layout.codes),), dtype="int32", name="codes")
        parts += [keras.ops.one_hot(inputs["codes"][:, i], slots) for i, slots in enumerate(layout.slots)]
    hidden = keras.layers.concatenate(parts) if len(parts) > 1 else parts[0]
    hidden = keras.layers.Dropout(0.2)(keras.layers.Dense(16, activation="relu")(hidden))
    return keras.Model(inputs, keras.layers.Dense(n_classes, activation="softmax")(hidden))


def write_model(root: Path, *, flows: pl.DataFrame, seed: int = 1) -> None:
    """A model folder as the training room leaves it."""
    from nids.artifacts import ModelFiles, ModelInfo, save_transform
    from nids.datasets import get_schema
    from nids.savedmodel import export_saved_model
    from nids.transform import InputLayout, Transform

    schema = get_schema("nsl-kdd")
    transform = Transform.fit(flows, schema)
    selected = list(transform.feature_names)
    model = dense_model(InputLayout.of(selected, transform), len(schema.classes), seed)
    save_transform(root, transform)
    files = ModelFiles(root)
    model.save(files.keras)
    export_saved_model(model, transform, selected, files.saved_model)
    files.write_info(
        ModelInfo("dense", {}, schema.name, list(schema.classes), selected, seed, model.count_params(), history=[])
    )
