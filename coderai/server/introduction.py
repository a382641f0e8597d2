"""What the server says to the person who started it."""

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from coderai import __version__
from coderai.api.app import PREFIXES
from coderai.control.first_start import FirstStart
from coderai.providers.registry import Instance, Registry
from coderai.server.listeners import Addresses
from coderai.settings import Settings
from coderai.store.engine import Store


def introduction(
    settings: Settings,
    store: Store,
    registry: Registry,
    first: FirstStart,
    vanished: Sequence[str],
    addresses: Addresses,
    metrics_url: str | None = None,
    proxy_url: str | None = None,
) -> str:
    """Return the lines: where the data is, which providers there are, where to reach it, how to go on."""
    database = "coderai.db" if store.dialect == "sqlite" else "PostgreSQL"
    lines = [f"coderai {__version__}  data {settings.data_dir}  database {database} (schema {store.schema_version})"]
    lines += [f"Provider {name} is gone from the configuration and disabled." for name in vanished]
    if registry.all():
        lines += ["Providers", *_provider_table(registry)]
    elif settings.aibridge_enabled:
        lines.append(
            "No provider is configured: set CODER_AIBRIDGE_ANTHROPIC_KEY or CODER_AIBRIDGE_OPENAI_KEY,"
            f" or use {_command()} providers add."
        )
    if addresses.http:
        lines.append(f"Started HTTP listener at {addresses.http}")
    if addresses.https:
        lines.append(f"Started TLS/HTTPS listener at {addresses.https}")
    if metrics_url is not None:
        lines.append(f"Metrics at {metrics_url}/metrics")
    if proxy_url is not None:
        lines.append(f"Intercepting proxy at {proxy_url}: {_command()} proxy env   prints what its clients need.")
    if settings.aibridge_enabled:
        lines.append(f"Gateway base URLs: {settings.access_url or addresses.url}{PREFIXES[0]}<route>")
    else:
        lines.append("The gateway is off (--aibridge-enabled): only the management API answers.")
    command = _command()
    if first.owner:
        lines.append("First start: the owner is admin, without a password.")
    lines.append(f"Next: {command} tokens create   makes a gateway token; {command} --help shows the rest.")
    lines.append(f"Pages for people: {settings.access_url or addresses.url} (sign in with a password or such a token).")
    return "\n".join(lines)


def _provider_table(registry: Registry) -> list[str]:
    rows = [("ROUTE", "TYPE", "PROVIDER'S BASE URL", "KEYS", "STATE")]
    rows += [(_route(each), each.type, each.base_url, _keys(each), _state(each)) for each in registry.all()]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return [
        "  " + "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[4]])
        for row in rows
    ]


def _route(instance: Instance) -> str:
    """Where the base URL for tools ends."""
    return f"/{instance.name}{instance.family.prefix if instance.family else ''}"


def _keys(instance: Instance) -> str:
    return str(len(instance.keys)) if instance.dialect is None else "AWS"


def _state(instance: Instance) -> str:
    if instance.state == "error":
        return f"error: {instance.reason}"
    state = instance.state if len(instance.keys) or instance.dialect else f"{instance.state} (own key only)"
    return f"{state}; {instance.reason}" if instance.reason else state


def _command() -> str:
    """How the command is called from here: by its name when that is on the path, else by where it lies."""
    beside = Path(sys.executable).with_name("coderai")
    found = shutil.which("coderai")
    return "coderai" if found or not beside.exists() else str(beside)
