import pytest

from nids.errors import InputError
from serving.connection import Connection, is_loopback


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "localhost.", "127.0.0.1", "127.1.2.3", "::1", "[::1]"])
def test_addresses_of_this_machine_alone_are_loopback(host):
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["10.0.0.1", "0.0.0.0", "127.example.org", "nids-server", "localhost.org", "[fe80::1]"]
)
def test_addresses_that_others_may_have_are_not(host):
    assert not is_loopback(host)


@pytest.mark.parametrize("address", ["::1:8500", "fe80::1:8500"])
def test_an_ipv6_address_needs_brackets(address):
    with pytest.raises(InputError, match=r"HOST:PORT .*\[::1\]:8500"):
        Connection(address, "nids", 1)
