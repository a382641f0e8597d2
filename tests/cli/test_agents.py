"""Sub-agents and side calls can be told apart where a session is shown."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from coderai.cli.agents import Agents
from coderai.cli.shapes import SessionDetail, read
from coderai.cli.text import Look
from coderai.cli.tree import session_lines
from tests.cli.test_records import DETAIL, ID, INTERCEPTIONS, SESSIONS, STEP, THREAD

PIPE = Look(terminal=False, width=80, now=datetime(2026, 5, 5, tzinfo=UTC))
PERSON = Look(terminal=True, width=200, now=datetime(2026, 5, 5, tzinfo=UTC))
SUB = {"Username": "mia", "request_class": "subagent", "agent_id": "explore-1", "agent_type": "Explore"}


@pytest.mark.parametrize(
    ("metadata", "mark"),
    [
        ({}, ""),
        ({"Username": "mia", "request_class": "main"}, ""),
        ({"request_class": "auxiliary"}, "side call"),
        (SUB, "agent Explore explore-1 (parent main)"),
        ({**SUB, "parent_agent_id": "a1"}, "agent Explore explore-1 (parent a1)"),
        ({**SUB, "agent_name": "/root/explore"}, "agent /root/explore explore-1 (parent main)"),
        ({"agent_id": "c2"}, "agent c2 (parent main)"),
        ({"request_class": "subagent"}, "agent (parent main)"),
        ({"agent_id": "a\x1b[2J\nb"}, "agent a\\x1b[2J b (parent main)"),
        ({"agent_id": 5, "request_class": ["subagent"]}, ""),
    ],
)
def test_a_mark_per_step(metadata: dict[str, Any], mark: str) -> None:
    assert Agents([metadata], PIPE).mark(metadata) == mark


def test_ids_are_cut_to_what_tells_them_apart_for_a_person() -> None:
    steps = [
        {"agent_id": "019f0000-0000-7000-8000-00000000aaaa"},
        {"agent_id": "019f0000-0000-7000-8000-00000000bbbb", "parent_agent_id": "019f0000-0000-7000-8000-00000000aaaa"},
    ]
    agents = Agents(steps, PERSON)
    assert [agents.mark(step) for step in steps] == [
        "agent …0000aaaa (parent main)",
        "agent …0000bbbb (parent …0000aaaa)",
    ]


def test_a_thread_is_marked_once_and_a_step_when_it_differs() -> None:
    steps = [{**STEP, "metadata": SUB}, {**STEP, "metadata": SUB}, {**STEP, "metadata": {"request_class": "auxiliary"}}]
    threads = [{**THREAD, "steps": steps}, {**THREAD, "steps": [STEP]}]
    lines = session_lines(read(msgspec.json.encode({**DETAIL, "threads": threads}), SessionDetail), PIPE, full=False)
    marked = [line.strip("│├└─ ") for line in lines if "agent" in line or "side call" in line]
    assert marked == [
        "Thread 1  gpt-5.3-codex via azure-openai (central key 8f2a...91bc)  09:12:33  41 s  "
        "agent Explore explore-1 (parent main)",
        "step 3    2100 in / 140 out · side call",
    ]


def test_an_interception_says_which_agent(api, coderai) -> None:
    api.put(f"GET {INTERCEPTIONS}/{ID}", {"id": ID, "metadata": SUB})
    assert "agent       Explore explore-1 (parent main)" in coderai("interceptions", "show", ID).out


def test_a_session_shows_it(api, coderai) -> None:
    threads = [{**THREAD, "steps": [{**STEP, "metadata": SUB}]}]
    api.put(f"GET {SESSIONS}/{ID}", {**DETAIL, "threads": threads})
    assert "agent Explore explore-1 (parent main)" in coderai("sessions", "show", ID).out
