"""What the person who starts the server reads when it cannot start."""

import pytest

from tests.end_to_end.conftest import Gateway
from tests.end_to_end.processes import coderai


async def test_a_taken_port_is_named(tmp_path, gateway: Gateway):
    address = gateway.url.removeprefix("http://")
    said = await coderai("server", f"--data-dir={tmp_path / 'other'}", f"--http-address={address}")
    assert (said.code, said.err) == (1, f"error: cannot listen on --http-address {address}: Address already in use\n")


async def test_an_address_that_is_not_ours_is_named(tmp_path):
    said = await coderai("server", f"--data-dir={tmp_path}", "--http-address=192.0.2.1:80")
    assert said.code == 1
    assert said.err == "error: cannot listen on --http-address 192.0.2.1:80: Cannot assign requested address\n"


@pytest.mark.parametrize("host", ["300.1.1.1", "nowhere.invalid"])
async def test_a_host_that_is_none_is_named(tmp_path, host):
    said = await coderai("server", f"--data-dir={tmp_path}", f"--http-address={host}:8080")
    assert said.code == 1
    assert said.err == f"error: cannot listen on --http-address {host}:8080: its name cannot be resolved\n"
