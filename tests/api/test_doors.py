"""Who gets in, and what everybody sees: probes, sign-in, refusals."""

import asyncio
from io import BytesIO

import pytest
from yarl import URL

from coderai import __version__
from tests.api.conftest import Api


@pytest.fixture
def dialect() -> str:
    """Nothing here depends on the database."""
    return "sqlite"


async def test_probes(api: Api) -> None:
    assert [(await api.get(path, None)).text for path in ("/healthz", "/readyz")] == ["OK", "OK"]


async def test_greeting_and_build_information(api: Api) -> None:
    assert (await api.get("/api/v2/", None)).body == {"message": "👋"}
    build = (await api.get("buildinfo", None)).body
    assert build["version"] == __version__
    assert build["deployment_id"] == api.store.deployment_id
    assert build["dashboard_url"] == api.url
    assert (build["telemetry"], build["workspace_proxy"]) == (False, False)


async def test_answers_are_compact_and_for_nobody_else(api: Api) -> None:
    answer = await api.get("users/me")
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Coder-Build-Version"] == answer.headers["X-CoderAI-Build-Version"] == __version__
    assert answer.text.endswith("}\n")
    assert ": " not in answer.text


async def test_the_token_may_be_sent_in_five_places(api: Api) -> None:
    token = api.tokens["mia"]
    places = [
        {"headers": {"Cookie": f"coder_session_token={token}"}},
        {"params": {"coder_session_token": token}},
        {"headers": {"Coder-Session-Token": token}},
        {"headers": {"Authorization": f"bearer {token}"}},
        {"params": {"access_token": token}},
    ]
    answers = [await api.ask("GET", "users/me", None, **place) for place in places]
    assert [answer.body["username"] for answer in answers] == ["mia"] * 5


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        ("", "no token"),
        ("nonsense", "must be an id of 10 characters"),
        ("aaaaaaaaaa-bbbbbbbbbbbbbbbbbbbbbb", "not known"),
    ],
)
async def test_without_a_good_token_there_is_a_401(api: Api, token: str, reason: str) -> None:
    answer = await api.ask("GET", "users/me", None, headers={"Coder-Session-Token": token})
    assert answer.status == 401
    assert reason in answer.body["detail"]
    assert answer.headers["WWW-Authenticate"].startswith('Bearer realm="coder", error="invalid_token"')


async def test_the_right_id_with_a_wrong_secret_is_not_known(api: Api) -> None:
    wrong = api.tokens["mia"][:-1] + ("a" if api.tokens["mia"][-1] != "a" else "b")
    answer = await api.ask("GET", "users/me", None, headers={"Coder-Session-Token": wrong})
    assert (answer.status, answer.body["detail"]) == (401, "this token is not known")


async def test_an_unknown_route_is_a_404_in_json(api: Api) -> None:
    answer = await api.get("/api/v2/nowhere", None)
    assert (answer.status, answer.body) == (404, {"message": "There is no such route."})


@pytest.mark.parametrize("path", ["users/authmethods", "aibridge/sessions", "ai-gateway/models"])
async def test_another_method_is_a_405_in_json(api: Api, path: str) -> None:
    answer = await api.ask("PATCH", path)
    assert (answer.status, answer.headers["Allow"]) == (405, "GET,HEAD")
    assert answer.body == {"message": "This method is not allowed here."}


async def test_a_body_may_have_a_megabyte(api: Api) -> None:
    answer = await api.ask("POST", "users", data=BytesIO(b" " * ((1 << 20) + 1)))
    assert answer.status == 413


@pytest.mark.parametrize(
    ("body", "message"),
    [(b"{", "not JSON"), (b"[]", "must be a JSON object"), (b'{"username": 7}', "has mistakes")],
)
async def test_a_bad_body_is_a_400(api: Api, body: bytes, message: str) -> None:
    answer = await api.ask("POST", "users", data=body)
    assert answer.status == 400
    assert message in answer.body["message"]


async def test_head_is_like_get(api: Api) -> None:
    answer = await api.ask("HEAD", "users/me")
    assert (answer.status, answer.text) == (200, "")


async def test_wrong_chunks_are_a_400(api: Api) -> None:
    url = URL(api.url)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(b"POST /api/v2/users/login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    await writer.drain()
    writer.write(b'4\r\n{"a"\r\nxyz\r\n')
    async with asyncio.timeout(5):
        assert b" 400 " in await reader.readline()
    writer.close()
