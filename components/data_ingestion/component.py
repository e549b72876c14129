from kfp import dsl

from components.base import DATA_IMAGE, component


@component(base_image=DATA_IMAGE)
def data_ingestion(
    flows: dsl.Output[dsl.Dataset],
    dataset: str = "simulated",
    data: str = "",
    data_version: str = "",
    simulated_flows: int = 20000,
    seed: int = 7,
) -> None:
    """Bring the records of one data set into its schema (files or simulation -> `flows`).

    `data` is the file or folder to read, "" to simulate. `data_version` is any text: KFP's cache looks at parameters
    and not at files, so a new text is what makes it read changed files again.
    """
    from components.data_ingestion.ingest import ingest
    from nids import artifacts
    from nids.datasets import get_dataset

    source = get_dataset(dataset)
    if data:
        print(f"Reading {source.schema.title} from {data}", flush=True)
    elif source.simulate is not None:
        print(f"Simulating {simulated_flows:,} flows", flush=True)
    if data_version:
        print(f"Version of the data: {data_version}", flush=True)
    raw = ingest(source, data, simulated_flows=simulated_flows, seed=seed)
    artifacts.save_flows(flows.path, source.schema, raw)
    flows.metadata.update(dataset=source.schema.name, rows=raw.frame.height, unreadable=raw.unreadable.height)
    print(f"{raw.frame.height:,} flows, {raw.unreadable.height:,} rows that could not be read", flush=True)
