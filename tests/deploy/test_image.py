"""The Dockerfile, without an engine: what it copies is there, and its health check tells the truth."""

import asyncio
import json
import sys
from fnmatch import fnmatch

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from coderai.api.health import ROUTES
from tests.deploy.reading import PLACE, ROOT, dockerfile, image, last

IGNORED = (PLACE / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
COPIED = [
    source
    for name, rest in dockerfile()
    if name == "COPY" and not rest.startswith("--from")
    for source in rest.split()[:-1]
]
CHECK = json.loads(last("HEALTHCHECK").partition(" CMD ")[2])


@pytest.mark.parametrize("source", COPIED)
def test_what_is_copied_is_there_and_not_ignored(source: str):
    assert (ROOT / source).exists()
    assert any(fnmatch(source, line.removeprefix("!")) for line in IGNORED if line.startswith("!"))


def test_everything_else_is_ignored():
    assert [line for line in IGNORED if not line.startswith(("#", "!"))] == ["*", "**/__pycache__"]


def test_it_runs_as_nobody_who_matters():
    user, group = last("USER").split(":")
    assert min(int(user), int(group)) > 1000
    [made] = [rest for name, rest in dockerfile() if name == "RUN" and rest.startswith("install ")]
    assert f"-m 0700 -o {user} -g {group} {last('VOLUME')}" in made
    assert last("VOLUME") == image().environment["CODERAI_DATA_DIR"]


def test_no_package_comes_without_its_hash():
    installs = [
        part for name, rest in dockerfile() if name == "RUN" for part in rest.split("&&") if " install " in part
    ]
    pip = [part for part in installs if " pip " in part]
    assert len(pip) == 3
    assert all("--require-hashes --only-binary=:all:" in part or "--no-deps --no-index" in part for part in pip)


def test_the_stop_signal_is_the_one_that_lets_streams_finish():
    assert last("STOPSIGNAL") == "SIGTERM"


async def checked(port: int) -> int:
    """Run the health check against another port than the one in the image."""
    assert CHECK[0] == "python"
    command = [part.replace("3000", str(port)) for part in CHECK[1:]]
    process = await asyncio.create_subprocess_exec(sys.executable, *command, stderr=asyncio.subprocess.DEVNULL)
    async with asyncio.timeout(20):
        return await process.wait()


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1)])
async def test_the_health_check_says_what_the_server_says(status: int, code: int):
    app = web.Application()

    async def health(_request: web.Request) -> web.Response:
        return web.Response(status=status)

    app.router.add_get("/healthz", health)
    async with TestServer(app, host="127.0.0.1") as server:
        assert await checked(server.port or 0) == code


async def test_the_health_check_fails_where_nobody_listens():
    assert await checked(1) == 1


def test_the_health_check_asks_the_port_and_a_route_of_the_server():
    port = image().environment["CODER_HTTP_ADDRESS"].rpartition(":")[2]
    assert f"'127.0.0.1', {port}," in CHECK[-1]
    assert last("EXPOSE") == port
    assert any(f"'{route.path}'" in CHECK[-1] for route in ROUTES)
