"""What is counted for which record and which request."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from coderai.observe.exposition import exposed
from coderai.observe.metrics import Metrics
from coderai.observe.timeline import Timeline, Try
from coderai.records import (
    Answer,
    Api,
    Begun,
    End,
    Ended,
    Ending,
    Interception,
    Link,
    Stamped,
    Thought,
    ToolCall,
    Usage,
)
from tests.scraping import Scraped

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
ONE = Interception(
    id="i-1",
    started_at=START,
    initiator_id="u-1",
    initiator_name="ada",
    api_key_id="key1",
    provider="anthropic",
    provider_name="corp",
    model="claude-x",
    api=Api.MESSAGES,
    stream=True,
    client="Claude Code",
    prompt="fix it",
)
ROUTES = {("anthropic", Api.MESSAGES): "/v1/messages"}


def ended(*facts: object, one: Interception = ONE, ending: Ending = Ending.COMPLETE, served: bool = True) -> Ended:
    stamped = tuple(Stamped(f"f-{number}", START, fact) for number, fact in enumerate(facts))
    return Ended(one, End(Answer(), ending, 200), START + timedelta(seconds=3), stamped, served)


def shown(metrics: Metrics) -> Scraped:
    return Scraped(exposed(metrics.registry, [], "")[0].decode())


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(ROUTES)


def test_an_exchange_and_its_labels(metrics):
    metrics.ended(ended())
    (one,) = shown(metrics).all("interceptions_total")
    assert one.labels == {
        "provider": "corp",
        "model": "claude-x",
        "status": "completed",
        "route": "/v1/messages",
        "method": "POST",
        "client": "Claude Code",
    }
    (bucket,) = shown(metrics).all("interceptions_duration_seconds_bucket", le="5.0")
    assert (bucket.value, shown(metrics).sum("interceptions_duration_seconds_sum")) == (1, 3)


@pytest.mark.parametrize("ending", [ending for ending in Ending if ending is not Ending.COMPLETE])
def test_only_a_complete_answer_is_a_success(metrics, ending):
    metrics.ended(ended(ending=ending))
    assert shown(metrics).by("interceptions_total", "status") == {("failed",): 1}
    assert shown(metrics).by("endings_total", "ending") == {(ending.value,): 1}


def test_tokens_by_type_without_zeros(metrics):
    metrics.ended(ended(Usage("m", 1, 2, 0, 4, {"reasoning": 5}), Usage("m", 10), Thought("hm")))
    assert shown(metrics).by("tokens_total", "type") == {
        ("input",): 11,
        ("output",): 2,
        ("cache_write_input_tokens",): 4,
        ("reasoning",): 5,
    }


def test_prompts_are_counted_at_the_start_and_only_those_with_words(metrics):
    for prompt in ("fix it", "", None):
        metrics.begun(Begun(replace(ONE, prompt=prompt)), Link())
    assert shown(metrics).sum("prompts_total") == 1


def test_names_that_clients_and_models_make_up_come_to_an_end(metrics):
    for number in range(500):
        one = replace(ONE, model=f"model-{number}")
        call = ToolCall(f"tool-{number}")
        metrics.begun(Begun(one), Link())
        metrics.ended(ended(call, Usage("m", 1, extra={f"kind-{number}": 1}), one=one))
    found = shown(metrics)
    assert len(found.by("interceptions_total", "model")) == 201
    assert len(found.by("non_injected_tool_selections_total", "name")) == 301
    assert len(found.by("tokens_total", "type")) == 52
    assert found.sum("non_injected_tool_selections_total") == found.sum("interceptions_total") == 500


def test_models_that_never_answer_leave_room_for_others(metrics):
    for number in range(500):
        metrics.ended(ended(one=replace(ONE, model=f"made-up-{number}"), ending=Ending.UPSTREAM_ERROR))
    metrics.ended(ended(one=replace(ONE, model="real")))
    assert len(shown(metrics).by("interceptions_total", "model")) == 52
    assert shown(metrics).sum("interceptions_total", model="real") == 1


def test_the_label_of_the_user_is_there_only_when_wanted(metrics):
    metrics.ended(ended())
    per_user = Metrics(ROUTES, per_user=True)
    per_user.ended(ended())
    assert "initiator_id" not in shown(metrics).text
    assert shown(per_user).by("interceptions_total", "initiator_id") == {("u-1",): 1}


def test_what_was_given_up_before_it_began_does_not_count_as_recorded(metrics):
    metrics.ended(ended(ending=Ending.REFUSED, served=False))
    metrics.ended(ended())
    assert metrics.recorded == {"corp": 1}
    assert shown(metrics).sum("interceptions_total") == 2


def test_calls_tries_and_keys_of_a_request(metrics):
    one = Timeline("POST", provider="corp", keys=2, begun=1.0, arrived=1.0, ending=9.0, ended=9.25)
    one.tries = [Try(1.5, status=401), Try(2.0, status=503), Try(3.0, error="no answer in time"), Try(4.0, status=200)]
    metrics.over(one)
    found = shown(metrics)
    assert found.by("upstream_requests_total", "status") == {("401",): 1, ("503",): 1, ("timeout",): 1, ("200",): 1}
    assert found.sum("upstream_retries_total") == 2
    assert found.sum("key_pool_failover_attempts_sum") == 2
    assert found.sum("overhead_seconds_sum") == 0.75


@pytest.mark.parametrize(("status", "refused"), [(401, 1), (503, 1), (200, 0), (101, 0)])
def test_what_is_not_let_in_is_counted_by_status(metrics, status, refused):
    metrics.over(Timeline("GET", status=status))
    assert shown(metrics).sum("refused_requests_total") == refused


def test_circuits_of_models_that_nobody_has_got_an_answer_from_are_one(metrics):
    metrics.ended(ended())
    for model in ("claude-x", "made-up-1", "made-up-2"):
        metrics.circuit_opened("corp", "/v1/messages", model)
        metrics.circuit_rejected("corp", "/v1/messages", model)
    for name in ("circuit_breaker_trips_total", "circuit_breaker_rejects_total"):
        assert shown(metrics).by(name, "model") == {("claude-x",): 1, ("other",): 2}


def test_the_pruning_job(metrics):
    metrics.pruned("aibridge_records", 7)
    metrics.pruning(2.0, success=True)
    assert shown(metrics).sum("coderd_dbpurge_records_purged_total", record_type="aibridge_records") == 7
    assert shown(metrics).sum("coderd_dbpurge_iteration_duration_seconds_count", success="true") == 1
