"""Before anything is touched: addresses and certificates, and all that is wrong with them at once."""

import socket
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from pydantic import SecretStr

from coderai.errors import BadSettings
from coderai.server.connections import open_listener
from coderai.server.listeners import runner_for
from coderai.server.openings import bind, openings
from coderai.settings import Settings


def settings(directory: Path, **more: Any) -> Settings:
    return Settings(**{"data_dir": directory, "http_address": "127.0.0.1:0", **more})


async def test_what_is_not_wanted_is_not_opened(tmp_path: Path):
    with await openings(settings(tmp_path)) as found:
        assert (found.tls, found.metrics, found.certificates) == (None, None, None)
        assert found.http is not None
        assert found.http.url("http").startswith("http://127.0.0.1:")


async def test_everything_that_is_in_the_way_is_told_at_once(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = f"127.0.0.1:{other.getsockname()[1]}"
        wanted = settings(
            tmp_path,
            http_address=taken,
            tls_enable=True,
            tls_address="nowhere.invalid:443",
            tls_cert_file=("no.crt",),
            tls_key_file=("no.key",),
            prometheus_enable=True,
            prometheus_address="192.0.2.1:80",
            database_url=SecretStr("postgresql://me:canary@127.0.0.1:1/x"),
        )
        with pytest.raises(ExceptionGroup) as caught:
            await openings(wanted)
    *said, of_the_database = map(str, caught.value.exceptions)
    assert said == [
        f"cannot listen on --http-address {taken}: Address already in use",
        "cannot listen on --tls-address nowhere.invalid:443: its name cannot be resolved",
        "cannot listen on --prometheus-address 192.0.2.1:80: Cannot assign requested address",
        "--tls-cert-file no.crt: it cannot be read: No such file or directory",
    ]
    assert of_the_database.endswith("(postgresql://me:…@127.0.0.1:1/x)")


@pytest.mark.parametrize("other", ["127.0.0.1", "", "localhost"])
async def test_two_listeners_of_ours_on_one_port_are_told_before_anything_is_touched(tmp_path: Path, other: str):
    free = bind("--http-address", "127.0.0.1:0")
    port = free.sockets[0].getsockname()[1]
    free.close()
    wanted = settings(
        tmp_path, http_address=f"127.0.0.1:{port}", prometheus_enable=True, prometheus_address=f"{other}:{port}"
    )
    with pytest.raises(ExceptionGroup) as caught:
        await openings(wanted)
    assert list(map(str, caught.value.exceptions)) == [
        f"cannot listen on --prometheus-address {other}:{port}: --http-address 127.0.0.1:{port} is the same;"
        " choose another port"
    ]
    assert list(tmp_path.iterdir()) == []


async def test_somebody_who_was_faster_with_the_same_port_is_told():
    one, runner = bind("--http-address", "127.0.0.1:0"), runner_for(web.Application())
    two = bind("--http-address", one.url("x").removeprefix("x://"))
    await runner.setup()
    servers = await open_listener(runner, one)
    with pytest.raises(BadSettings, match="Address already in use"):
        await open_listener(runner, two)
    for server in servers:
        server.close()
    await runner.cleanup()
    two.close()


async def test_a_start_that_fails_makes_no_database_and_gives_its_addresses_back(tmp_path: Path):
    free = bind("--http-address", "127.0.0.1:0")
    port = free.sockets[0].getsockname()[1]
    free.close()
    with pytest.raises(ExceptionGroup):
        await openings(
            settings(
                tmp_path, http_address=f"127.0.0.1:{port}", prometheus_enable=True, prometheus_address="192.0.2.1:80"
            )
        )
    assert list(tmp_path.iterdir()) == []
    bind("--http-address", f"127.0.0.1:{port}").close()


@pytest.mark.parametrize("host", ["300.1.1.1", "nowhere.invalid"])
def test_a_host_that_is_none_is_named(host: str):
    with pytest.raises(BadSettings, match=f"cannot listen on --http-address {host}:80: its name cannot be resolved"):
        bind("--http-address", f"{host}:80")


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("127.0.0.1:0", "http://127.0.0.1:"),
        (":0", "http://127.0.0.1:"),
        ("[::1]:0", "http://[::1]:"),
        ("[::]:0", "http://[::1]:"),
    ],
)
def test_an_address_is_shown_as_it_is_reached_from_here(address: str, url: str):
    opening = bind("--http-address", address)
    assert opening.url("http").startswith(url)
    assert opening.url("https", "ai.example.com").startswith("https://ai.example.com:")
    opening.close()


def test_nobody_can_connect_before_the_server_is_ready():
    opening = bind("--http-address", "127.0.0.1:0")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(opening.sockets[0].getsockname())
    opening.close()
