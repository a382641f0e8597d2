"""The OpenAPI document: all routes are in it, and what they send is what it says."""

import re
from typing import Any

import pytest
from jsonschema_rs import validator_for

from coderai.api.app import routes
from coderai.api.openapi import document
from tests.api.building import record, start
from tests.api.conftest import Api
from tests.store.building import call, usage

PART = re.compile(r"\{(\w+)(?::[^}]*)?\}")


@pytest.fixture
def dialect() -> str:
    """Nothing here depends on the database."""
    return "sqlite"


def test_every_route_is_in_the_document_and_no_other() -> None:
    described = {(method.upper(), path) for path, row in document(routes())["paths"].items() for method in row}
    assert described == {(route.method, PART.sub(r"{\1}", route.path)) for route in routes()}


def test_every_route_is_described() -> None:
    assert [f"{route.method} {route.path}" for route in routes() if route.about is None] == []


def test_operations_have_names_of_their_own() -> None:
    names = [each["operationId"] for row in document(routes())["paths"].values() for each in row.values()]
    assert len(names) == len(set(names))


async def test_it_is_served_to_anybody(api: Api) -> None:
    answer = await api.get("openapi.json", None)
    assert (answer.body["openapi"], answer.body["paths"].keys()) == ("3.1.0", document(routes())["paths"].keys())


async def test_the_page_for_people_loads_nothing(api: Api) -> None:
    answer = await api.get("docs", None)
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert re.findall(r"(?:src|href)=[\"']?([^\"'> ]+)", answer.text) == ["openapi.json"]
    assert "<script" not in answer.text
    assert "/api/v2/users/{user}/keys/tokens" in answer.text


ANSWERS = [
    ("GET", "/api/v2/users", "users", None),
    ("GET", "/api/v2/users/{user}", "users/me", None),
    ("GET", "/api/v2/users/roles", "users/roles", None),
    ("GET", "/api/v2/users/{user}/roles", "users/audrey/roles", None),
    ("GET", "/api/v2/users/authmethods", "users/authmethods", None),
    ("PUT", "/api/v2/users/{user}/status/suspend", "users/mia/status/suspend", None),
    ("POST", "/api/v2/users/{user}/keys/tokens", "users/me/keys/tokens", {"token_name": "x"}),
    ("GET", "/api/v2/users/{user}/keys/tokens", "users/me/keys/tokens", None),
    ("GET", "/api/v2/users/{user}/keys/tokens/{name}", "users/me/keys/tokens/first", None),
    ("GET", "/api/v2/users/{user}/keys/tokens/tokenconfig", "users/me/keys/tokens/tokenconfig", None),
    ("GET", "/api/v2/audit", "audit", None),
    ("GET", "/api/v2/buildinfo", "buildinfo", None),
    ("GET", "/api/v2/ai/usage", "ai/usage", None),
    ("GET", "/api/v2/ai/usage/series", "ai/usage/series", None),
    ("GET", "/api/v2/ai/usage/tools", "ai/usage/tools", None),
    ("GET", "/api/v2/ai/live", "ai/live", None),
    ("GET", "/api/v2/ai/provider-health", "ai/provider-health", None),
]


async def test_answers_are_what_the_document_says(api: Api) -> None:
    await record(api.store, api.ids["mia"], 0, usage(), call("1"))
    await start(api.store, api.ids["mia"])
    described = (await api.get("openapi.json")).body
    assert [await deviations(api, described, *each) for each in ANSWERS] == [[]] * len(ANSWERS)


async def deviations(api: Api, described: Any, method: str, path: str, asked: str, body: Any) -> list[str]:
    answer = await api.ask(method, asked, json=body)
    content = described["paths"][path][method.lower()]["responses"][str(answer.status)]["content"]
    schema = {**content["application/json"]["schema"], "components": described["components"]}
    return [error.message for error in validator_for(schema).iter_errors(answer.body)]
