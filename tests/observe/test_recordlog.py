import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from coderai.observe import logs
from coderai.observe.recordlog import NOBODY, RecordLog, RequestLog, record_logs
from coderai.records import (
    Answer,
    Api,
    Begun,
    End,
    Ended,
    Ending,
    ErrorType,
    Interception,
    Link,
    Stamped,
    Thought,
    ToolCall,
    Usage,
)

START = datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)
LATER = START + timedelta(seconds=1.5)
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
    user_agent="claude-cli/1",
    client_session_id="s-1",
    tool_result_id="toolu_0",
    credential_hint="sk-…abc",
    metadata={"workspace": "w"},
    prompt="fix\nit",
)
FACTS = (
    Stamped("f-1", LATER, Thought("hm")),
    Stamped("f-2", LATER, ToolCall("read", "toolu_1", '{"p":1}', "msg_1", "item_1")),
    Stamped("f-3", LATER, Usage("msg_1", 1, 2, 3, 4, {"reasoning": 5})),
)
END = Ended(ONE, End(Answer("msg_1"), Ending.COMPLETE, 200), LATER, FACTS)


@dataclass(frozen=True)
class To:
    log_json: str
    log_human: str = ""
    log_filter: tuple[str, ...] = ()


@pytest.fixture
def written(tmp_path: Path):
    """Return the log lines that a call makes."""

    def written(call, *arguments, log_filter=()):
        path = tmp_path / "log"
        with logs.configured(To(str(path), log_filter=log_filter)):
            call(*arguments)
        return [json.loads(line) for line in path.read_text().splitlines()]

    return written


def test_a_start_and_its_prompt(written):
    start, prompt = written(RecordLog().begun, Begun(ONE, "p-1"), Link("i-0", "i-root"))
    assert (start["msg"], start["level"]) == ("interception log", "INFO")
    assert start["fields"] == {
        "record_type": "interception_start",
        "interception_id": "i-1",
        "initiator_id": "u-1",
        "initiator_name": "ada",
        "on_behalf_of": "",
        "api_key_id": "key1",
        "provider": "anthropic",
        "provider_name": "corp",
        "api": "messages",
        "model": "claude-x",
        "stream": True,
        "client": "Claude Code",
        "client_session_id": "s-1",
        "credential_kind": "centralized",
        "credential_hint": "sk-…abc",
        "started_at": "2026-03-01T12:00:00.250000Z",
        "metadata": {"workspace": "w", "request_user_agent": "claude-cli/1"},
        "correlating_tool_call_id": "toolu_0",
        "thread_parent_id": "i-0",
        "thread_root_id": "i-root",
    }
    assert prompt["msg"] == "interception log"
    assert prompt["fields"] == {
        "record_type": "prompt_usage",
        "interception_id": "i-1",
        "msg_id": "",
        "prompt": "fix\nit",
        "created_at": "2026-03-01T12:00:00.250000Z",
        "metadata": {},
    }


def test_a_step_without_a_prompt_at_the_root_of_its_thread(written):
    (start,) = written(RecordLog().begun, Begun(replace(ONE, prompt=None, client_session_id=None)), Link())
    assert start["fields"]["thread_parent_id"] == start["fields"]["thread_root_id"] == NOBODY
    assert start["fields"]["client_session_id"] == ""


def test_an_end_with_what_was_learned(written):
    lines = written(RecordLog().ended, END)
    assert {line["msg"] for line in lines} == {"interception log"}
    shared = {"interception_id": "i-1", "created_at": "2026-03-01T12:00:01.750000Z"}
    assert [line["fields"] for line in lines] == [
        {"record_type": "model_thought", "content": "hm", "metadata": {"source": "thinking"}, **shared},
        {
            "record_type": "tool_usage",
            "msg_id": "msg_1",
            "tool_call_id": "toolu_1",
            "tool": "read",
            "input": '{"p":1}',
            "server_url": "",
            "injected": False,
            "invocation_error": "",
            "metadata": {"kind": "tool_use", "item_id": "item_1"},
            **shared,
        },
        {
            "record_type": "token_usage",
            "msg_id": "msg_1",
            "input_tokens": 1,
            "output_tokens": 2,
            "cache_read_input_tokens": 3,
            "cache_write_input_tokens": 4,
            "metadata": {"reasoning": 5},
            **shared,
        },
        {
            "record_type": "interception_end",
            "interception_id": "i-1",
            "initiator_id": "u-1",
            "initiator_name": "ada",
            "provider": "anthropic",
            "provider_name": "corp",
            "model": "claude-x",
            "ended_at": "2026-03-01T12:00:01.750000Z",
            "ending": "complete",
            "http_status": 200,
            "error_type": "",
            "error_message": "",
            "credential_kind": "centralized",
            "credential_hint": "sk-…abc",
            "first_byte_ms": None,
            "duration_ms": 1500,
        },
    ]


def test_a_failure_says_why(written):
    end = End(Answer(), Ending.UPSTREAM_ERROR, 429, ErrorType.RATE_LIMITED, "slow down")
    (line,) = written(RecordLog().ended, Ended(ONE, end, LATER))
    fields = line["fields"]
    assert (fields["ending"], fields["http_status"]) == ("upstream_error", 429)
    assert (fields["error_type"], fields["error_message"]) == ("rate_limited", "slow down")


def test_the_end_names_the_key_that_was_used_last_and_when_the_answer_began(written):
    first_byte_at = START + timedelta(seconds=0.25)
    end = End(Answer("msg_1"), Ending.COMPLETE, 200, first_byte_at=first_byte_at, credential_hint="sk-…xyz")
    fields = written(RecordLog().ended, Ended(ONE, end, LATER))[-1]["fields"]
    assert (fields["credential_hint"], fields["first_byte_ms"]) == ("sk-…xyz", 250)


def test_the_operational_line_has_every_id_and_no_content(written):
    assert written(RequestLog().ended, END) == []
    (line,) = written(RequestLog().ended, END, log_filter=("requests",))
    assert (line["msg"], line["level"]) == ("exchange ended", "DEBUG")
    assert line["fields"] == {
        "interception_id": "i-1",
        "initiator_id": "u-1",
        "initiator": "ada",
        "on_behalf_of": "",
        "api_key_id": "key1",
        "client": "Claude Code",
        "client_session_id": "s-1",
        "provider_name": "corp",
        "api": "messages",
        "model": "claude-x",
        "stream": True,
        "msg_id": "msg_1",
        "ending": "complete",
        "http_status": 200,
        "error_type": "",
        "credential_kind": "centralized",
        "credential_hint": "sk-…abc",
        "first_byte_ms": None,
        "duration_ms": 1500,
    }


def test_the_structured_log_is_on_only_when_wanted(written):
    (quiet,) = record_logs(structured=False)
    assert written(quiet.begun, Begun(ONE), Link()) == []
    assert [type(one) for one in record_logs(structured=True)] == [RecordLog, RequestLog]
