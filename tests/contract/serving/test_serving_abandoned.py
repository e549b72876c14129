"""Requests that nobody waits for any more, and a server that is told to stop while it has work."""

import asyncio
import contextlib
import json
import signal
import socket
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from nids.errors import StoreError
from serving.client import Client
from serving.connection import Connection
from serving.core import Core, ModelRef
from serving.status import BusyError
from serving.versions import State

_REF = ModelRef("nids")
_FLOW = {
    "duration": np.array([100], np.float32),
    "bytes": np.array([1]),
    "protocol": np.array([b"tcp"], object),
}


def _seconds(seconds):
    return {"seconds": np.array(seconds, np.float32)}


def _run(base, story, **options):
    async def main():
        core = Core({"nids": base}, poll_seconds=0.05, **options)
        core.start()
        try:
            async with asyncio.timeout(60):
                while not _is_available(core):
                    await asyncio.sleep(0.02)
                await story(core)
        finally:
            await core.stop()

    asyncio.run(main())


def _is_available(core):
    with contextlib.suppress(Exception):
        return core.statuses(_REF)[0].state is State.AVAILABLE
    return False


@pytest.fixture
def base(tmp_path, publish, small_model):
    publish(small_model, tmp_path / "nids", 1)
    return tmp_path / "nids"


def _calls(core, monkeypatch):
    """Names of the signatures that are really computed from here on."""
    names = []
    model = core._acquire(_REF).model
    run = model.run

    def counted(signature, *rest):
        names.append(signature.name)
        return run(signature, *rest)

    monkeypatch.setattr(model, "run", counted)
    return names


def test_a_request_abandoned_while_it_waits_is_never_computed(base, monkeypatch):
    async def story(core):
        names = _calls(core, monkeypatch)
        slow = asyncio.create_task(core.predict(_REF, _seconds(0.5), "slow"))
        await asyncio.sleep(0.1)
        waiting = [asyncio.create_task(core.predict(_REF, _FLOW)) for _ in range(20)]
        await asyncio.sleep(0.05)
        for task in waiting:
            task.cancel()
        await slow
        await core.predict(_REF, {"x": np.array([2], np.float32)}, "half")
        assert names == ["slow", "half"]

    _run(base, story, threads=1)


def test_a_request_abandoned_while_it_runs_keeps_its_version_until_it_ends(base):
    async def story(core):
        task = asyncio.create_task(core.predict(_REF, _seconds(0.5), "slow"))
        await asyncio.sleep(0.1)
        lease = core._acquire(_REF)
        lease.release()
        task.cancel()
        await asyncio.wait([task])
        assert lease.users == 1
        await lease.idle.wait()

    _run(base, story)


def test_requests_beyond_the_bound_are_refused_and_later_ones_are_not(base):
    async def story(core):
        slow = [asyncio.create_task(core.predict(_REF, _seconds(0.3), "slow")) for _ in range(2)]
        await asyncio.sleep(0.05)
        with pytest.raises(BusyError, match="less than 2 requests"):
            await core.predict(_REF, _FLOW)
        await asyncio.gather(*slow)
        assert (await core.predict(_REF, _FLOW)).version == 1

    _run(base, story, threads=1, max_requests=2)


def test_stopping_cancels_what_runs_in_a_model(base):
    async def story(core):
        task = asyncio.create_task(core.predict(_REF, _seconds(3600), "slow"))
        await asyncio.sleep(0.2)
        await core.stop(grace=0.1)
        await asyncio.wait([task])
        assert "cancelled" in str(task.exception())

    _run(base, story)


def test_a_deadline_that_passes_leaves_no_work_behind(base, served):
    with served(base, grpc_max_threads=1, drain_seconds=60) as addresses, Client(addresses.grpc) as client:
        client.wait_until_available(60)
        impatient = Connection(addresses.grpc, "nids", 0.3)
        threads = [threading.Thread(target=_give_up, args=(impatient,)) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        # Twenty times two seconds would be more than the client waits.
        assert client.predict(_FLOW).version == 1
        impatient.close()


def _give_up(connection):
    with pytest.raises(StoreError, match=r"within 0\.3 s"):
        connection.predict(_seconds(2), "slow")


def test_a_rest_client_that_hangs_up_leaves_no_work_behind(base, served):
    body = json.dumps({"signature_name": "slow", "inputs": 2}).encode()
    head = f"POST /v1/models/nids:predict HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with served(base, grpc_max_threads=1, drain_seconds=60) as addresses, Client(addresses.grpc) as client:
        client.wait_until_available(60)
        host, port = addresses.rest.split(":")
        for _ in range(20):
            with socket.create_connection((host, int(port))) as connection:
                connection.sendall(head + body)
                time.sleep(0.02)
        assert client.predict(_FLOW).version == 1


@pytest.mark.slow
def test_a_stopped_server_does_not_outlive_its_time_to_drain(base):
    flags = ["--port=0", "--rest_api_port=0", "--drain_seconds=1", "--stop_with_stdin"]
    command = [sys.executable, "-m", "serving.server", f"--model_base_path={base}", *flags]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        words = process.stdout.readline().replace(",", "").split()
        with Client(words[words.index("gRPC") + 1]) as client:
            client.wait_until_available(60)
            endless = threading.Thread(target=_ask_for_an_hour, args=(client,))
            endless.start()
            time.sleep(1)
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
            endless.join()


def _ask_for_an_hour(client):
    with pytest.raises(StoreError):
        client._connection.predict(_seconds(3600), "slow")
