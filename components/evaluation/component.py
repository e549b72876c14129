from kfp import dsl

from components.base import TENSORFLOW_IMAGE, component


@component(base_image=TENSORFLOW_IMAGE)
def evaluation(
    test: dsl.Input[dsl.Dataset],
    train: dsl.Input[dsl.Dataset],
    model: dsl.Input[dsl.Model],
    validation: dsl.Input[dsl.Artifact],
    features: dsl.Input[dsl.Artifact],
    hyperparameters: dsl.Input[dsl.Artifact],
    evaluation: dsl.Output[dsl.Artifact],
    metrics: dsl.Output[dsl.Metrics],
    classification: dsl.Output[dsl.ClassificationMetrics],
    report: dsl.Output[dsl.HTML],
    baselines: str = "majority,decision_tree,random_forest,gradient_boosting",
    seed: int = 7,
) -> None:
    """Score a model on the untouched test split, beside plain models of the same training split."""
    from pathlib import Path

    from components.evaluation.assess import assess
    from components.evaluation.background import Background
    from components.evaluation.kfp_metrics import log_classification, log_metrics
    from components.evaluation.report import render
    from nids import artifacts
    from nids.files import new_file, write_json

    assessment = assess(
        Path(model.path), Path(test.path), Path(train.path), baselines, seed, say=lambda line: print(line, flush=True)
    )
    artifacts.save_evaluation(evaluation.path, assessment.evaluation, assessment.predictions)
    log_metrics(metrics, assessment.evaluation)
    log_classification(classification, assessment)
    for logged in (metrics, classification):
        # Their numbers are metadata; the local cache takes an artifact without a file for a lost one.
        write_json(logged.path, logged.metadata)
    background = Background(
        artifacts.load_validation(validation.path),
        artifacts.load_selection(features.path),
        artifacts.load_tuning(hyperparameters.path),
        artifacts.ModelFiles(Path(model.path)).info(),
    )
    with new_file(report.path) as page:
        page.write_text(render(assessment, background))
