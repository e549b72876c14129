"""Seconds and peak memory of every pipeline step, as a table. Nothing comes from a cache.

python -m benchmarks.steps --dataset nsl-kdd --data DIR --preset default
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import tempfile
from pathlib import Path

import psutil

from nids.errors import NidsError
from pipelines.parameters import load_preset, parse_settings
from pipelines.runners import RunResult, run_locally


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", default="simulated")
    parser.add_argument("--data", default="")
    parser.add_argument("--preset", default="smoke")
    parser.add_argument("--set", dest="settings", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="nids-benchmark-") as folder:
        parameters = {
            **load_preset(options.preset),
            "dataset": options.dataset,
            "data": options.data,
            "store": str(Path(folder) / "store"),
            **parse_settings(options.settings),
        }
        try:
            result = run_locally(parameters, work=Path(folder) / "work", use_cache=False)
        except NidsError as error:
            print(error, file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            return 130
    print(_table(result, f"{options.dataset}, preset {options.preset}"))
    if options.json:
        steps = {step.name: {"seconds": step.seconds, "peak_megabytes": step.peak_megabytes} for step in result.steps}
        options.json.write_text(json.dumps(steps, indent=1) + "\n")
    return 0


def _table(result: RunResult, title: str) -> str:
    memory = psutil.virtual_memory().total / 2**30
    lines = [
        f"{title}; {psutil.cpu_count()} cores, {memory:.0f} GiB, Python {platform.python_version()}",
        "",
        f"| {'step':<18} | {'seconds':>8} | {'peak MB':>8} |",
        f"|{'-' * 20}|{'-' * 9}:|{'-' * 9}:|",
    ]
    lines += [f"| {step.name:<18} | {step.seconds:>8.1f} | {step.peak_megabytes:>8.0f} |" for step in result.steps]
    total, peak = sum(s.seconds for s in result.steps), max(s.peak_megabytes for s in result.steps)
    lines.append(f"| {'whole run':<18} | {total:>8.1f} | {peak:>8.0f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
