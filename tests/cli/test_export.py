"""Exports: page by page, whole or not at all, and harmless for a spreadsheet."""

import csv
import io
import json
import os

import pytest

from coderai.spreadsheet import csv_line

SESSIONS = "GET /api/v2/aibridge/sessions"
INTERCEPTIONS = "GET /api/v2/aibridge/interceptions"
SESSION = {
    "id": "s1",
    "initiator": {"id": "u1", "username": "mia"},
    "client": "Codex",
    "providers": ["openai"],
    "models": ["gpt-5", "o3"],
    "started_at": "2026-05-04T09:12:33Z",
    "threads": 2,
    "interceptions": 3,
    "last_prompt": "=1+1\nsecond, line",
    "unknown": {"kept": True},
}
EXCHANGE = {
    "id": "i1",
    "session_id": "s1",
    "initiator": {"id": "u1", "username": "mia"},
    "model": "gpt-5",
    "token_usages": [{"input_tokens": 1}, {"input_tokens": 2, "output_tokens": 5}],
    "user_prompts": [{"prompt": "-hello"}],
    "tool_usages": [{"tool": "read"}, {"tool": "write"}],
}


def test_sessions_are_the_documents_of_the_api(api, coderai):
    api.put(SESSIONS, {"count": 1, "sessions": [SESSION]})
    said = coderai("export", "sessions", "--model", "o3")
    assert (said.code, said.err) == (0, "")
    assert [json.loads(line) for line in said.out.splitlines()] == [SESSION]
    assert api.last.query == {"limit": "200", "model": "o3"}


def test_pages_follow_the_cursor(api, coderai):
    api.put(SESSIONS, {"count": 2, "sessions": [SESSION], "next_cursor": "n1"})
    api.script(SESSIONS, {"count": 2, "sessions": [SESSION | {"id": "s2"}]})
    assert [json.loads(line)["id"] for line in coderai("export", "sessions").out.splitlines()] == ["s1", "s2"]
    assert [asked.query.get("cursor") for asked in api.asked] == [None, "n1"]


def test_pages_of_exchanges_follow_the_last_id(api, coderai):
    api.put(INTERCEPTIONS, {"count": 201, "results": [EXCHANGE | {"id": f"i{n}"} for n in range(200)]})
    api.script(INTERCEPTIONS, {"count": 201, "results": [EXCHANGE]})
    assert len(coderai("export", "interceptions").out.splitlines()) == 201
    assert [asked.query.get("after_id") for asked in api.asked] == [None, "i199"]


def test_a_server_that_is_asked_too_often_is_asked_again(api, coderai):
    api.put(SESSIONS, {"message": "Too many"}, 429)
    api.script(SESSIONS, {"count": 1, "sessions": [SESSION]})
    said = coderai("export", "sessions")
    assert (said.code, len(said.out.splitlines()), len(api.asked)) == (0, 1, 2)


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_sessions_as_csv(api, coderai):
    api.put(SESSIONS, {"count": 1, "sessions": [SESSION]})
    (row,) = rows(coderai("export", "sessions", "--format", "csv").out)
    assert (row["id"], row["models"], row["threads"], row["interceptions"]) == ("s1", "gpt-5 o3", "2", "3")
    assert (row["last_prompt"], row["ended_at"]) == ("'=1+1\nsecond, line", "")


def test_exchanges_as_csv(api, coderai):
    api.put(INTERCEPTIONS, {"count": 1, "results": [EXCHANGE]})
    (row,) = rows(coderai("export", "interceptions", "--format", "csv").out)
    assert (row["input_tokens"], row["output_tokens"], row["tools"]) == ("3", "5", "read write")
    assert (row["prompt"], row["initiator"], row["on_behalf_of"]) == ("'-hello", "mia", "")


def test_nothing_as_csv_is_the_heads(api, coderai):
    api.put(SESSIONS, {"count": 0, "sessions": []})
    assert coderai("export", "sessions", "--format", "csv").out.startswith("id,initiator,")


def test_whole_exchanges_are_fetched_one_by_one(api, coderai):
    api.put(INTERCEPTIONS, {"count": 1, "results": [EXCHANGE]})
    api.put(f"{INTERCEPTIONS}/i1", EXCHANGE | {"model_thoughts": [{"content": "hm"}]})
    said = coderai("export", "interceptions", "--thoughts")
    assert json.loads(said.out)["model_thoughts"] == [{"content": "hm"}]


def test_a_file_is_for_its_owner(api, coderai, tmp_path):
    api.put(SESSIONS, {"count": 1, "sessions": [SESSION]})
    path = tmp_path / "out.jsonl"
    said = coderai("export", "sessions", "-f", str(path))
    assert (said.out, said.err) == ("", f"1 row written to {path}\n")
    assert (json.loads(path.read_text()), path.stat().st_mode & 0o777) == (SESSION, 0o600)
    assert os.listdir(tmp_path) == ["out.jsonl"]


def test_a_file_that_is_there_stays(api, coderai, tmp_path):
    api.put(SESSIONS, {"count": 1, "sessions": [SESSION]})
    path = tmp_path / "out.jsonl"
    path.write_text("precious")
    assert coderai("export", "sessions", "-f", str(path)).code == 2
    assert path.read_text() == "precious"
    assert coderai("export", "sessions", "-f", str(path), "--force").code == 0
    assert path.read_text() != "precious"


def test_a_device_is_not_replaced_by_a_file(api, coderai, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    said = coderai("export", "sessions", "-f", str(tmp_path / "pipe"), "--force")
    assert said.code == 2
    assert f"{tmp_path}/pipe is no file; without --file everything goes to standard output" in said.err


def test_half_an_export_leaves_no_file(api, coderai, tmp_path):
    api.put(SESSIONS, {"count": 2, "sessions": [SESSION], "next_cursor": "n1"})
    api.script(SESSIONS, {"message": "no"}, status=503)
    assert coderai("export", "sessions", "-f", str(tmp_path / "out.jsonl")).code == 1
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["sessions", "-o", "json"], 2, "--format jsonl"),
        (["interceptions", "--thoughts", "--format", "csv"], 2, "--format jsonl"),
        (["sessions", "-f", "/no/such/directory/x"], 1, "cannot write /no/such/directory/x"),
    ],
)
def test_what_cannot_be_written_is_said(api, coderai, arguments, code, text):
    said = coderai("export", *arguments)
    assert (said.code, text in said.err) == (code, True)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_is_a_formula(start):
    assert next(csv.reader([csv_line([f"{start}1", "a", None, -5])])) == [f"'{start}1", "a", "", "-5"]
