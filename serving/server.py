"""An embedded server for one machine: TensorFlow Serving's gRPC and REST API, and its flags.

    python -m serving.server --model_base_path STORE/nids --port 8500 --rest_api_port 8501

It listens on this machine only, unless `--host` says otherwise (`--host 0.0.0.0` for all interfaces): TensorFlow
Serving listens everywhere, but neither of them asks who is calling.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator, Sequence
from dataclasses import fields
from pathlib import Path

from nids.errors import InputError, NidsError
from serving.options import Addresses, ServerOptions, host_and_port
from serving.quiet import quiet_tensorflow
from serving.running import running_server

__all__ = ["Addresses", "ServerOptions", "main", "parse_options", "running_server", "serve", "started"]

log = logging.getLogger(__name__)


def serve(options: ServerOptions) -> None:
    """Serve until SIGTERM or SIGINT, then let requests in flight end.

    Prints `Serving NAME: gRPC HOST:PORT, REST http://HOST:PORT/v1/models/NAME` once it listens, which is before the
    model is available; its state is in GetModelStatus.

    Raises:
        InputError: an option is not as expected, or a port is in use.
    """
    _check(options)
    with quiet_tensorflow():
        import serving.grpc_service
        import serving.rest_api  # noqa: F401 - imported here, while TensorFlow is kept quiet
        from serving.saved_model import find_devices

        find_devices()
    asyncio.run(_serve(options))


@contextlib.asynccontextmanager
async def started(options: ServerOptions) -> AsyncIterator[Addresses]:
    """A server on the running event loop; drained at the end of the block. Raises as `serve` does."""
    import grpc
    from aiohttp import web

    from serving.core import Core
    from serving.grpc_service import add_services
    from serving.rest_api import make_app

    core = Core(
        {options.model_name: options.model_base_path},
        poll_seconds=options.file_system_poll_wait_seconds,
        threads=options.grpc_max_threads,
        warmup=options.enable_model_warmup,
        intra_op_threads=options.tensorflow_session_parallelism,
        inter_op_threads=options.tensorflow_session_parallelism,
    )
    unlimited = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    # Without this, a second server would silently share the port with the first.
    server = grpc.aio.server(options=[*unlimited, ("grpc.so_reuseport", 0)])
    add_services(server, core)
    rest = web.AppRunner(
        make_app(core), access_log=None, shutdown_timeout=options.drain_seconds, handler_cancellation=True
    )

    async def drain() -> None:
        await asyncio.gather(server.stop(options.drain_seconds), rest.cleanup())

    async with contextlib.AsyncExitStack() as stack:
        # Whoever asked has an answer by then or has gone: what still runs in a model is for nobody.
        stack.push_async_callback(core.stop)
        stack.push_async_callback(drain)
        await rest.setup()
        try:
            grpc_port = server.add_insecure_port(host_and_port(options.host, options.port))
        except RuntimeError as error:
            raise _port_error("port", options, error) from error
        try:
            await web.TCPSite(rest, options.host, options.rest_api_port).start()
        except OSError as error:
            raise _port_error("rest_api_port", options, error) from error
        await server.start()
        core.start()
        rest_port = rest.addresses[0][1]
        yield Addresses(host_and_port(options.host, grpc_port), host_and_port(options.host, rest_port))


async def _serve(options: ServerOptions) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with started(options) as addresses:
        name = options.model_name
        print(f"Serving {name}: gRPC {addresses.grpc}, REST http://{addresses.rest}/v1/models/{name}", flush=True)
        await stop.wait()
        # A second signal does not wait for the requests in flight.
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
        log.info("Stopping: requests in flight have %g seconds to end.", options.drain_seconds)


def _check(options: ServerOptions) -> None:
    for name in ("port", "rest_api_port"):
        if not 0 <= getattr(options, name) <= 65535:
            raise InputError(f"Expected a port number from 0 to 65535 for --{name}. Received: {getattr(options, name)}")
    if options.port and options.port == options.rest_api_port:
        raise InputError(f"Expected --port and --rest_api_port to differ. Received: {options.port} for both")
    if options.grpc_max_threads < 1:
        raise InputError(f"Expected --grpc_max_threads of at least 1. Received: {options.grpc_max_threads}")
    if not options.model_name or set(options.model_name) & set("/:"):
        raise InputError(f"Expected a --model_name without / and :. Received: {options.model_name!r}")
    if not str(options.model_base_path):
        raise InputError("Expected a folder of versions for --model_base_path. Received: an empty name")
    if Path(options.model_base_path).is_file():
        raise InputError(f"Expected a folder for --model_base_path. Received: the file {options.model_base_path}")
    # Before TensorFlow is imported, which takes seconds: whoever started a second server learns it at once.
    for name in ("port", "rest_api_port"):
        _check_port(name, options)


def _check_port(name: str, options: ServerOptions) -> None:
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((options.host, getattr(options, name)))
        except socket.gaierror as error:
            raise InputError(f"Expected an address of this machine for --host. Received: {options.host}") from error
        except OSError as error:
            raise _port_error(name, options, error) from error


def _port_error(name: str, options: ServerOptions, error: Exception) -> InputError:
    reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else "it cannot be opened"
    where = host_and_port(options.host, getattr(options, name))
    return InputError(f"Expected a free port for --{name}. Received: {where} ({reason})")


def parse_options(arguments: Sequence[str]) -> tuple[ServerOptions, bool]:
    """Options from flags, and whether the end of standard input stops the server."""
    parser = argparse.ArgumentParser(prog="python -m serving.server", description=__doc__.splitlines()[0])
    parser.add_argument("--model_base_path", required=True, help="folder of the versions")
    for option in fields(ServerOptions)[1:]:
        kind = _truth if isinstance(option.default, bool) else type(option.default)
        parser.add_argument(f"--{option.name}", type=kind, default=option.default)
    parser.add_argument("--stop_with_stdin", action="store_true", help=argparse.SUPPRESS)
    values = vars(parser.parse_args(arguments))
    stop_with_stdin = values.pop("stop_with_stdin")
    return ServerOptions(**values), stop_with_stdin


def _truth(text: str) -> bool:
    if text.lower() not in ("true", "false", "1", "0"):
        raise argparse.ArgumentTypeError(f"Expected true or false. Received: {text}")
    return text.lower() in ("true", "1")


def _stop_with_stdin() -> None:
    # A parent that dies without a word closes the pipe, and no server is left behind.
    # Read below Python's buffers: their lock, held by a thread that waits, would abort the interpreter's exit.
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; 0 after a signal, 1 after an error of the user's, which is one sentence."""
    options, stop_with_stdin = parse_options(sys.argv[1:] if arguments is None else arguments)
    logging.basicConfig(format="%(message)s", level=logging.INFO, stream=sys.stdout)
    if stop_with_stdin:
        threading.Thread(target=_stop_with_stdin, daemon=True).start()
    try:
        serve(options)
    except NidsError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
