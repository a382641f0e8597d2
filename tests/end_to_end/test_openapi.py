"""The OpenAPI document as a machine reads it: schemathesis makes up requests, the real server answers."""

import asyncio
from collections import Counter

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.end_to_end.conftest import Gateway

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
SOME = settings(max_examples=6, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
ONESELF = {"user": "me"}
"""Half of the requests are about the caller: a made-up name is only ever somebody who is not there."""


def explore(url: str, token: str) -> Counter[str]:
    """Try every operation a few times; count the answers of each status. Raises for the first bad answer."""
    schema = schemathesis.openapi.from_url(f"{url}/api/v2/openapi.json")
    schema.config.generation.update(with_security_parameters=False)
    statuses: Counter[str] = Counter()
    for found in schema.get_all_operations():
        for known in ({}, ONESELF):
            try_out(found.ok(), known, url, token, statuses)
    return statuses


def try_out(
    operation: schemathesis.schemas.APIOperation, known: dict[str, str], url: str, token: str, statuses: Counter[str]
) -> None:
    @SOME
    @given(case=operation.as_strategy())
    def one(case: schemathesis.Case) -> None:
        case.path_parameters = {**case.path_parameters, **{name: known[name] for name in known if name in case.path}}
        answer = case.call_and_validate(base_url=url, headers={"Coder-Session-Token": token}, checks=CHECKS)
        statuses[str(answer.status_code)] += 1

    one()


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_made_up_requests_get_documented_answers(gateway: Gateway, token: str) -> None:
    statuses = await asyncio.to_thread(explore, gateway.url, token)
    assert [line for line in gateway.log if "request failed" in line] == []
    assert statuses["401"] < 40, "only signing in with what is made up"
    assert min(statuses[status] for status in ("200", "201", "204", "400", "404")) > 5, statuses
