"""What a server is told, and where it then listens."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

DEFAULT_MODEL = "nids"
_CPUS = os.cpu_count() or 1


@dataclass(frozen=True)
class ServerOptions:
    """Named as the flags of `tensorflow_model_server`; `host`, and 0 for a free port, are our own.

    Attributes:
        model_base_path: folder of the versions, `<model_base_path>/<version>/saved_model.pb`.
        model_name: name of the model for clients.
        port, rest_api_port: for gRPC and REST; 0 picks a free one.
        host: address to listen on; an IPv6 address without brackets.
        file_system_poll_wait_seconds: time between two looks for a new version; 0 looks once.
        grpc_max_threads: requests that run in the model at a time.
        tensorflow_session_parallelism: threads of TensorFlow per model; 0 lets it choose.
        enable_model_warmup: replay a version's warm-up requests before it becomes available.
        drain_seconds: time for requests in flight after SIGTERM.
    """

    model_base_path: str | Path
    model_name: str = DEFAULT_MODEL
    port: int = 8500
    rest_api_port: int = 8501
    host: str = "127.0.0.1"
    file_system_poll_wait_seconds: float = 1.0
    grpc_max_threads: int = 4 * _CPUS
    tensorflow_session_parallelism: int = 0
    enable_model_warmup: bool = True
    drain_seconds: float = 30.0


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where a server listens: `host:port` for each protocol."""

    grpc: str
    rest: str


def host_and_port(host: str, port: int) -> str:
    """`host:port`, with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
