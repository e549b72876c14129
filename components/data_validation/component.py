from kfp import dsl

from components.base import DATA_IMAGE, component


@component(base_image=DATA_IMAGE)
def data_validation(
    flows: dsl.Input[dsl.Dataset],
    validated: dsl.Output[dsl.Dataset],
    report: dsl.Output[dsl.Artifact],
    html: dsl.Output[dsl.HTML],
    max_rejected_share: float = 0.0,
    min_class_rows: int = 3,
) -> None:
    """Set aside the rows that break a rule of their schema (`flows` -> `flows`, `validation`, HTML).

    The report is written either way. The step then fails where more than `max_rejected_share` of the rows are set
    aside, or a class has fewer than `min_class_rows` rows to train on.
    """
    from components.data_validation.report import render
    from components.data_validation.validate import validate
    from nids import artifacts
    from nids.datasets.base import RawFlows
    from nids.files import new_file

    given = artifacts.load_flows(flows.path)
    judged = validate(given.raw, given.schema, max_rejected_share=max_rejected_share, min_class_rows=min_class_rows)
    found = judged.validation
    artifacts.save_validation(report.path, found, judged.rejected)
    with new_file(html.path) as file:
        file.write_text(render(found, judged.rejected, given.schema))
    failed = [entry for entry in found.expectations if not entry["success"]]
    print(
        f"{len(found.expectations)} expectations, {len(failed)} not met; {found.rejected:,} of {found.rows:,} rows "
        "set aside",
        flush=True,
    )
    for entry in failed:
        column = f"{entry['column']}: " if entry["column"] else ""
        print(f"  {column}{entry['description']}: {entry['unexpected']:,} rows ({entry['consequence']})", flush=True)
    rejected_file = str(artifacts.rejected_file(report.path))
    if found.rejected:
        print(f"The rows set aside: {rejected_file}", flush=True)
    if found.rejected or judged.stop:
        print(f"The report: {html.path}", flush=True)
    judged.check(rejected_file)
    artifacts.save_flows(validated.path, given.schema, RawFlows(judged.kept, about=given.raw.about))
    validated.metadata.update(schema=given.schema.name, rows=judged.kept.height, rejected=found.rejected)
