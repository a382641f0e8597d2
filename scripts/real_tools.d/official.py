"""The official hosts, on this machine: TLS at port 443, answered by the scripted model and a scripted GitHub."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import agent
from tools import CODEX, SONNET

from coderai.demo.script import Reply, Seen
from coderai.proxy.issuing import new_authority

MODELS = {"anthropic": "api.anthropic.com", "openai": "api.openai.com", "copilot": "api.individual.githubcopilot.com"}
GITHUB = "api.github.com"
TELEMETRY = "telemetry.individual.githubcopilot.com"
OTHERS = (GITHUB, TELEMETRY, "github.com", "chatgpt.com", "statsig.anthropic.com", "raw.githubusercontent.com")
"""Hosts of no provider."""
GITHUB_TOKEN = "gho_0123456789abcdefghijklmnopqrstuvwxyz"


def answer(seen: Seen) -> Reply:
    """Answer as the host that was asked."""
    host, path = seen.headers.get("Host", ""), seen.path.partition("?")[0]
    if host == MODELS["copilot"] and path == "/models":
        return _json({"object": "list", "data": [_model(SONNET, "/v1/messages"), _model(CODEX, "/responses")]})
    if host in MODELS.values():
        return agent.answer(seen)
    if host == GITHUB and path == "/copilot_internal/user":
        return _json(_USER)
    if host == GITHUB and path == "/user":
        return _json({"login": "somebody", "id": 1, "name": "Somebody", "type": "User"})
    return _json({} if host in OTHERS else {"message": "no such host"}, 200 if host == TELEMETRY else 404)


_USER = {
    "login": "somebody",
    "access_type_sku": "plus_monthly_subscriber_quota",
    "analytics_tracking_id": "0123456789abcdef0123456789abcdef",
    "assigned_date": "2026-01-01T00:00:00Z",
    "can_signup_for_limited": False,
    "chat_enabled": True,
    "cli_enabled": True,
    "copilot_plan": "individual",
    "organization_login_list": [],
    "organization_list": [],
    "endpoints": {
        "api": f"https://{MODELS['copilot']}",
        "telemetry": f"https://{TELEMETRY}",
        "proxy": "https://proxy.individual.githubcopilot.com",
        "origin-tracker": "https://origin-tracker.individual.githubcopilot.com",
    },
    "quota_reset_date": "2099-01-01",
    "quota_snapshots": {
        name: {
            "entitlement": 1500,
            "overage_count": 0,
            "overage_permitted": False,
            "percent_remaining": 100.0,
            "quota_id": name,
            "quota_remaining": 1500.0,
            "remaining": 1500,
            "unlimited": True,
        }
        for name in ("chat", "completions", "premium_interactions")
    },
}


def _model(name: str, endpoint: str) -> dict[str, object]:
    limits = {"max_context_window_tokens": 200_000, "max_output_tokens": 64_000, "max_prompt_tokens": 128_000}
    supports = {"streaming": True, "tool_calls": True, "parallel_tool_calls": True, "vision": False}
    return {
        "id": name,
        "name": name,
        "object": "model",
        "vendor": "Anthropic" if "claude" in name else "OpenAI",
        "version": name,
        "preview": False,
        "model_picker_enabled": True,
        "is_chat_default": True,
        "is_chat_fallback": True,
        "policy": {"state": "enabled", "terms": ""},
        "billing": {"is_premium": False, "multiplier": 1},
        "capabilities": {
            "family": name,
            "object": "model_capabilities",
            "type": "chat",
            "tokenizer": "o200k_base",
            "limits": limits,
            "supports": supports,
        },
        "supported_endpoints": [endpoint],
    }


def _json(document: object, status: int = 200) -> Reply:
    return Reply(status=status, chunks=[json.dumps(document).encode()])


@asynccontextmanager
async def official_hosts(url: str, directory: Path) -> AsyncIterator[Path]:
    """Lead port 443 of this machine to the plain *url*; give the file of the authority behind the certificates."""
    now = datetime.now(UTC)
    authority = new_authority("The world outside", now)
    leaf = authority.issue([*MODELS.values(), *OTHERS], now, timedelta(days=1))
    trusted, shown = directory / "world.pem", directory / "shown.pem"
    trusted.write_bytes(authority.certificate_pem)
    shown.write_bytes(leaf.key_pem + leaf.chain_pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(shown)
    context.set_alpn_protocols(["http/1.1"])
    async with await asyncio.start_server(_leading_to(url), "127.0.0.1", 443, ssl=context):
        yield trusted


def _leading_to(url: str) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], object]:
    parts = urlsplit(url)

    async def lead(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, onward = await asyncio.open_connection(parts.hostname, parts.port)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_pump(reader, onward), name="there")
            tasks.create_task(_pump(there, writer), name="back")

    return lead


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    try:
        while piece := await source.read(1 << 16):
            sink.write(piece)
            await sink.drain()
    except (ConnectionError, ssl.SSLError):
        pass  # the other side has gone; so does this one
    finally:
        sink.close()
