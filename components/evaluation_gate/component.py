from kfp import dsl

from components.base import DATA_IMAGE, component


@component(base_image=DATA_IMAGE)
def evaluation_gate(
    evaluation: dsl.Input[dsl.Artifact],
    model: dsl.Input[dsl.Model],
    decision: dsl.Output[dsl.Artifact],
    min_macro_f1: float = 0.5,
    min_mcc: float = 0.5,
    max_false_positive_rate: float = 0.1,
    min_detection_rate: float = 0.5,
    min_roc_auc: float = 0.5,
) -> bool:
    """Approve exactly this model, or not, and leave a record either way (`evaluation`, `model` -> `decision`, bool)."""
    from pathlib import Path

    from components.evaluation_gate.decide import decide, describe, threshold_rules
    from nids import artifacts

    rules = threshold_rules(
        min_macro_f1=min_macro_f1,
        min_mcc=min_mcc,
        max_false_positive_rate=max_false_positive_rate,
        min_detection_rate=min_detection_rate,
        min_roc_auc=min_roc_auc,
    )
    digest = artifacts.ModelFiles(Path(model.path)).digest()
    verdict = decide(rules, artifacts.load_evaluation(evaluation.path), digest)
    artifacts.save_decision(decision.path, verdict)
    print(describe(verdict), flush=True)
    return verdict.approved
