"""What the person who starts the server reads when it cannot start; and a start beside one that leaves."""

import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.end_to_end.asking import ENDS, SlowAgent, calling, rest
from tests.end_to_end.conftest import Gateway, make_token
from tests.end_to_end.processes import coderai
from tests.server.authority import Authority


async def test_a_taken_port_is_named(tmp_path, gateway: Gateway):
    address = gateway.url.removeprefix("http://")
    said = await coderai("server", f"--data-dir={tmp_path / 'other'}", f"--http-address={address}")
    assert (said.code, said.err) == (1, f"error: cannot listen on --http-address {address}: Address already in use\n")


async def test_everything_that_is_in_the_way_is_a_line(tmp_path):
    said = await coderai(
        "server",
        f"--data-dir={tmp_path}",
        "--http-address=192.0.2.1:80",
        "--tls-enable",
        "--tls-address=nowhere.invalid:443",
        "--tls-cert-file=no.crt",
        "--tls-key-file=no.key",
    )
    assert said.code == 1
    assert said.err.splitlines() == [
        "error: cannot listen on --http-address 192.0.2.1:80: Cannot assign requested address",
        "error: cannot listen on --tls-address nowhere.invalid:443: its name cannot be resolved",
        "error: --tls-cert-file no.crt: it cannot be read: No such file or directory",
    ]
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
async def leaving(tmp_path: Path, agent: SlowAgent) -> AsyncIterator[Gateway]:
    server = Gateway(tmp_path / "data", agent.url)
    yield server
    if server.running:
        await server.kill()


async def test_the_next_server_takes_the_address_while_the_old_one_lets_a_stream_end(
    leaving: Gateway, agent: SlowAgent
):
    await leaving.start()
    token = await make_token(leaving)
    async with calling(leaving, token) as client, client.asking("messages", "slow") as answer:
        await agent.stalled(1)
        leaving.signal(signal.SIGTERM)
        await leaving.said("Stopping")
        following = Gateway(leaving.data_dir, agent.url, (f"--http-address={leaving.url.removeprefix('http://')}",))
        await following.start()
        assert following.url == leaving.url
        async with calling(following, token) as other:
            assert (await other.ask("messages", "quick")).status == 200
        agent.release()
        told = await rest(answer)
        assert (told.whole, ENDS["messages"] in told.body) == (True, True)
        assert await leaving.gone() == 0
        known = await coderai("users", "list", f"--data-dir={leaving.data_dir}")
        assert (known.code, known.err) == (0, "")  # through the socket of the one that runs
        assert await following.stop() == 0


async def test_the_command_line_trusts_what_it_is_told_to(gateway: Gateway, token: str, tmp_path: Path):
    authority = Authority(tmp_path)
    cert_file, key_file = authority.issue("server")
    tls = ("--tls-enable", "--tls-address=127.0.0.1:0", f"--tls-cert-file={cert_file}", f"--tls-key-file={key_file}")
    await gateway.stop()
    gateway.options += tls
    await gateway.start()
    await gateway.said("TLS/HTTPS listener")
    url = next(line.split()[-1] for line in gateway.log if "TLS/HTTPS listener" in line)
    arguments = ("whoami", f"--url={url}", f"--token={token}")
    assert (await coderai(*arguments, SSL_CERT_FILE=str(authority.path))).out.startswith("admin")
    stranger = await coderai(*arguments)
    assert stranger.code == 6
    assert "its TLS certificate or handshake was not accepted" in stranger.err
