"""From flow records to a released model.

     1. data_ingestion      records of one data set -> flows
     2. data_validation     flows -> flows that keep the schema's rules, and a report of those that do not
     3. preprocessing       split first, then fit the transform on train only -> train, val, test
     4. smote               balance train, and nothing else
     5. feature_selection   train as it was -> names of the features worth sending (synthetic flows would flatter some)
     6. tuning              grid search, scored on val
     7. training            fit with early stopping on val -> model
     8. evaluation          score on the untouched test split, beside plain baselines -> report
     9. evaluation_gate     evaluation -> approved or rejected, with every rule's verdict
    10. model_push          only if approved -> the next version in the model store

No step after 3 writes val or test, and no step before 8 reads test: the graph itself keeps the test split clean.
"""

from typing import NamedTuple

from kfp import dsl

from components.data_ingestion.component import data_ingestion
from components.data_validation.component import data_validation
from components.evaluation.component import evaluation
from components.evaluation_gate.component import evaluation_gate
from components.feature_selection.component import feature_selection
from components.model_push.component import model_push
from components.preprocessing.component import preprocessing
from components.smote.component import smote
from components.training.component import training
from components.tuning.component import tuning


class Outputs(NamedTuple):
    """What a run leaves for people and for the runner."""

    evaluation: dsl.Artifact
    decision: dsl.Artifact
    report: dsl.HTML
    validation: dsl.HTML
    test: dsl.Dataset


@dsl.pipeline(name="nids-training", description="Train, evaluate, gate and release a network intrusion detector.")
def training_pipeline(
    dataset: str = "simulated",
    data: str = "",
    data_version: str = "",
    simulated_flows: int = 40000,
    seed: int = 7,
    max_rejected_share: float = 0.0,
    min_class_rows: int = 3,
    val_share: float = 0.15,
    test_share: float = 0.2,
    smote_strategy: str = "smote",
    smote_ratio: float = 0.5,
    smote_neighbors: int = 5,
    selection_method: str = "union",
    selection_rows: int = 10000,
    boruta_iterations: int = 50,
    rfe_features: int = 20,
    architecture: str = "attention_cnn_lstm",
    tuning_grid: str = (
        '{"learning_rate": [0.001, 0.002], "dropout": [0.2], "lstm_units": [32, 64], "batch_size": [256, 512]}'
    ),
    tuning_rows: int = 12000,
    tuning_epochs: int = 2,
    epochs: int = 10,
    patience: int = 3,
    checkpoints: str = "",
    prior_correction: bool = True,
    baselines: str = "majority,decision_tree,random_forest,gradient_boosting",
    min_macro_f1: float = 0.5,
    min_mcc: float = 0.5,
    max_false_positive_rate: float = 0.1,
    min_detection_rate: float = 0.5,
    min_roc_auc: float = 0.5,
    store: str = "",
    model_name: str = "nids",
) -> Outputs:
    """Every parameter is documented in docs/parameters.md; presets are in pipelines/params/."""
    raw = data_ingestion(
        dataset=dataset, data=data, data_version=data_version, simulated_flows=simulated_flows, seed=seed
    )
    valid = data_validation(
        flows=raw.outputs["flows"], max_rejected_share=max_rejected_share, min_class_rows=min_class_rows
    )
    split = preprocessing(flows=valid.outputs["validated"], val_share=val_share, test_share=test_share, seed=seed)
    train, val, test = split.outputs["train"], split.outputs["val"], split.outputs["test"]
    transform = split.outputs["transform"]

    balanced = smote(
        train=train, strategy=smote_strategy, ratio=smote_ratio, k_neighbors=smote_neighbors, seed=seed
    ).outputs["resampled"]
    features = feature_selection(
        train=train,
        method=selection_method,
        max_rows=selection_rows,
        boruta_iterations=boruta_iterations,
        rfe_features=rfe_features,
        seed=seed,
    ).outputs["features"]
    tuned = tuning(
        train=balanced,
        val=val,
        transform=transform,
        features=features,
        architecture=architecture,
        grid=tuning_grid,
        max_rows=tuning_rows,
        epochs=tuning_epochs,
        seed=seed,
    ).outputs["hyperparameters"]
    model = training(
        train=balanced,
        val=val,
        transform=transform,
        features=features,
        hyperparameters=tuned,
        epochs=epochs,
        patience=patience,
        checkpoints=checkpoints,
        prior_correction=prior_correction,
        seed=seed,
    ).outputs["model"]
    scores = evaluation(
        test=test,
        train=train,
        model=model,
        validation=valid.outputs["report"],
        features=features,
        hyperparameters=tuned,
        baselines=baselines,
        seed=seed,
    )
    gate = evaluation_gate(
        evaluation=scores.outputs["evaluation"],
        model=model,
        min_macro_f1=min_macro_f1,
        min_mcc=min_mcc,
        max_false_positive_rate=max_false_positive_rate,
        min_detection_rate=min_detection_rate,
        min_roc_auc=min_roc_auc,
    )
    with dsl.If(gate.outputs["Output"] == True, name="approved"):  # noqa: E712 - a KFP expression, not a comparison
        # Never from the cache: the store may have changed since.
        model_push(
            model=model, decision=gate.outputs["decision"], test=test, store=store, model_name=model_name
        ).set_caching_options(False)

    return Outputs(
        evaluation=scores.outputs["evaluation"],
        decision=gate.outputs["decision"],
        report=scores.outputs["report"],
        validation=valid.outputs["html"],
        test=test,
    )
