"""Request bodies as an agent sends them: short, and after a long afternoon of reading files."""

import json
from pathlib import Path
from typing import Any

SIZES = {"2 KB": 2_000, "250 KB": 250_000}

_SYSTEM = "You are a coding agent. Work step by step, use the tools, and answer briefly. " * 12
_LINE = '    if row["state"] == "open" and row.get("owner") is not None:  # only "open" ones\n'
_PROMPT = (
    "<system-reminder>The date is 2026-11-20.</system-reminder>",
    "Why does the counter lose the last line of the file?",
)
_TOOL: dict[str, Any] = {
    "name": "Read",
    "description": "Read a file from the project and return its lines with their numbers.",
    "input_schema": {
        "type": "object",
        "properties": {
            "file_path": {"type": "string", "description": "Absolute path of the file"},
            "offset": {"type": "integer", "description": "First line"},
            "limit": {"type": "integer", "description": "Number of lines"},
        },
        "required": ["file_path"],
    },
}


def write_bodies(folder: Path) -> dict[tuple[str, bool], Path]:
    """Write one body for each size, blocking and streaming; return their files."""
    files = {}
    for number, (name, size) in enumerate(SIZES.items()):
        for stream in (False, True):
            file = folder / f"body{number}{'-stream' if stream else ''}.json"
            file.write_bytes(messages_body(size, stream=stream))
            files[name, stream] = file
    return files


def messages_body(size: int, *, stream: bool) -> bytes:
    """A Messages request of about *size* bytes: turns with tool calls and their results, and a prompt at the end."""
    turns: list[dict[str, Any]] = []
    last = {"role": "user", "content": [{"type": "text", "text": text} for text in _PROMPT]}
    while (missing := size - len(_encode([*turns, last], stream))) > 1_000:
        number = len(turns) // 2
        call = {
            "type": "tool_use",
            "id": f"toolu_bench_{number:06}",
            "name": "Read",
            "input": {"file_path": f"/src/{number}.py"},
        }
        result = {"type": "tool_result", "tool_use_id": call["id"], "content": _LINE * min(70, missing // 100)}
        turns.append({"role": "assistant", "content": [{"type": "text", "text": "I will read the next file."}, call]})
        turns.append({"role": "user", "content": [result]})
    if turns:
        turns.append({"role": "assistant", "content": "That is all of them."})
    return _encode([*turns, last], stream)


def _encode(messages: list[dict[str, Any]], stream: bool) -> bytes:
    request = {
        "model": "claude-sonnet-4-5-20250929",
        "messages": messages,
        "system": [{"type": "text", "text": _SYSTEM, "cache_control": {"type": "ephemeral"}}],
        "tools": [_TOOL, {**_TOOL, "name": "List", "description": "List a folder."}],
        "max_tokens": 32000,
        "stream": stream,
    }
    return json.dumps(request, separators=(",", ":")).encode()
