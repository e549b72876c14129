"""The server as a process of its own: ports, signals, and whoever starts it."""

import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request

import numpy as np
import psutil
import pytest

from nids.errors import InputError, StoreError
from serving import running
from serving.client import Client
from serving.server import Addresses, ServerOptions, parse_options, running_server, serve

_FLOW = {"duration": np.float32([100]), "bytes": np.array([1]), "protocol": np.array(["tcp"])}


@pytest.fixture
def taken():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


@pytest.mark.slow
def test_a_server_in_a_process_answers_and_is_gone_afterwards(tmp_path, publish, small_model):
    publish(small_model, tmp_path / "ids", 3)

    with running_server("ids", tmp_path / "ids") as server:
        assert server.version == 3
        with Client(server.grpc_address, model="ids") as client:
            assert client.predict(_FLOW).labels.tolist() == ["attack"]

    assert not psutil.pid_exists(server.pid)


@pytest.mark.slow
def test_sigterm_lets_requests_in_flight_end(tmp_path, publish, small_model):
    publish(small_model, tmp_path / "nids", 1)
    answers = []

    with running_server("nids", tmp_path / "nids") as server, Client(server.grpc_address) as client:
        slow = threading.Thread(
            target=lambda: answers.append(client._connection.predict({"seconds": np.float32(2)}, "slow"))
        )
        slow.start()
        time.sleep(0.5)
        psutil.Process(server.pid).send_signal(signal.SIGTERM)
        slow.join()
        psutil.Process(server.pid).wait(20)

    assert answers[0][0]["took"] >= 2


def test_a_parent_that_dies_without_a_word_leaves_no_server_behind(tmp_path):
    code = (
        "import os, subprocess, sys\n"
        "from serving.server import running_server\n"
        "import serving.running as r\n"
        "def waiting(process, *rest): print(process.pid, flush=True); os._exit(9)\n"
        "r._addresses = waiting\n"
        f"with running_server('nids', {str(tmp_path)!r}): pass\n"
    )
    parent = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=False)

    assert parent.returncode == 9
    child = int(parent.stdout)
    for _ in range(300):
        if not psutil.pid_exists(child):
            break
        time.sleep(0.1)
    assert not psutil.pid_exists(child)


@pytest.mark.slow
def test_a_version_that_cannot_be_loaded_ends_the_wait_with_its_reason(tmp_path):
    (tmp_path / "nids" / "1").mkdir(parents=True)
    (tmp_path / "nids" / "1" / "saved_model.pb").write_text("no model")

    with (
        pytest.raises(StoreError, match="Expected version 1 of nids to be served"),
        running_server("nids", tmp_path / "nids"),
    ):
        pass


def test_what_the_server_last_answered_is_in_the_failure():
    with (
        subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, text=True) as process,
        pytest.raises(
            StoreError, match=r"in time\. Received: Expected a server at 127\.0\.0\.1:9.*; and as the server's"
        ),
    ):
        addresses = Addresses("127.0.0.1:9", "127.0.0.1:9")
        running._available(process, running._Output(None), addresses, "nids", None, time.monotonic() + 0.3)


@pytest.mark.skipif(not socket.has_ipv6, reason="needs IPv6")
def test_an_ipv6_host_is_written_with_brackets(tmp_path, publish, small_model, served):
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("needs an IPv6 loopback address")
    publish(small_model, tmp_path / "nids", 1)

    with served(tmp_path / "nids", host="::1") as addresses, Client(addresses.grpc) as client:
        assert client.wait_until_available(60) == 1
        assert addresses.grpc.startswith("[::1]:")
        with urllib.request.urlopen(f"http://{addresses.rest}/v1/models/nids") as response:
            assert response.status == 200


def test_an_empty_store_ends_the_wait_at_the_deadline(tmp_path):
    with (
        pytest.raises(StoreError, match="Expected a served model in time"),
        running_server("nids", tmp_path, timeout=0.5),
    ):
        pass


@pytest.mark.parametrize("flag", ["port", "rest_api_port"])
def test_a_port_in_use_is_one_sentence_and_exit_code_1(tmp_path, taken, flag):
    flags = {"port": 0, "rest_api_port": 0} | {flag: taken}
    command = [sys.executable, "-m", "serving.server", f"--model_base_path={tmp_path}"]
    done = subprocess.run(
        [*command, *(f"--{name}={value}" for name, value in flags.items())], capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == (f"Expected a free port for --{flag}. Received: 127.0.0.1:{taken} (Address already in use)\n")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"port": 70000}, "--port. Received: 70000"),
        ({"port": 8500, "rest_api_port": 8500}, "--port and --rest_api_port to differ"),
        ({"host": "no.such.host.invalid"}, "--host"),
        ({"model_name": "a/b"}, "--model_name"),
        ({"grpc_max_threads": 0}, "--grpc_max_threads"),
        ({"model_base_path": ""}, "--model_base_path"),
        ({"model_base_path": __file__}, "Received: the file"),
    ],
)
def test_an_option_that_cannot_be_is_named(changes, words):
    options = {"model_base_path": "store", "port": 0, "rest_api_port": 0} | changes

    with pytest.raises(InputError, match=words):
        serve(ServerOptions(**options))


def test_flags_are_those_of_tensorflow_serving():
    options, stop_with_stdin = parse_options(
        ["--model_base_path=/models/nids", "--port", "1", "--enable_model_warmup=false", "--model_name=ids"]
    )

    assert options == ServerOptions("/models/nids", model_name="ids", port=1, enable_model_warmup=False)
    assert not stop_with_stdin


@pytest.mark.parametrize("flag", ["--prot=1", "--port=x", "--enable_model_warmup=maybe"])
def test_an_unknown_or_malformed_flag_is_refused_by_name(flag, capsys):
    with pytest.raises(SystemExit) as caught:
        parse_options(["--model_base_path=x", flag])

    assert caught.value.code == 2
    assert flag.split("=")[0] in capsys.readouterr().err
