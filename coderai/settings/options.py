"""What an option is: its spellings, and what is said about it. The options themselves are in ``model``."""

from dataclasses import dataclass
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

GROUPS: Final = {
    "gateway": "AI Gateway",
    "proxy": "AI Gateway Proxy",
    "network": "Network",
    "storage": "Storage and retention",
    "access": "Sign-in and tokens",
    "logging": "Logs, metrics, tracing",
    "other": "Other",
}
"""In the order of the help."""

Group = Literal["gateway", "proxy", "network", "storage", "access", "logging", "other"]

LATER: Final = "not available yet"


class Part(BaseModel):
    """Some options that belong together; ``Settings`` is made of all of them."""

    model_config = ConfigDict(defer_build=True)  # only Settings itself is ever filled


@dataclass(frozen=True, slots=True)
class Option:
    """One row: what stands in the metadata of a field of ``Settings``."""

    group: Group
    help: str
    flags: tuple[str, ...]
    """Without dashes; the first one is the one we write."""
    variables: tuple[str, ...]
    """Names in the environment."""
    yaml: tuple[str, ...] = ()
    """Dotted paths; the first one is the one we write; none: not settable in YAML."""
    short: str = ""
    """One-letter flag."""
    note: str = ""
    """Answered, as one warning line, to whoever sets it to something else than its default; mostly ``LATER``."""
    rare: bool = False
    """For fine tuning: last in the help."""
    twins: bool = False
    """The spellings have equal rank: two of them with different values are an error. Otherwise the first wins."""


def gateway(
    key: str,
    help: str,
    *,
    more_flags: tuple[str, ...] = (),
    yaml: str | None = "",
    note: str = "",
    rare: bool = False,
) -> Option:
    """Return an option of the group ``aibridge``, which is also spelled ``ai_gateway``.

    *yaml* is given where it does not follow from *key*; None keeps the option out of YAML.
    """
    flags = (key.replace("_", "-"), *more_flags)
    return Option(
        group="gateway",
        help=help,
        flags=tuple(f"{prefix}-{name}" for name in flags for prefix in ("aibridge", "ai-gateway")),
        variables=(f"CODER_AIBRIDGE_{key.upper()}", f"CODER_AI_GATEWAY_{key.upper()}"),
        yaml=() if yaml is None else tuple(f"{name}.{yaml or key}" for name in ("aibridge", "ai_gateway")),
        note=note,
        rare=rare,
        twins=True,
    )


def proxy(key: str, help: str, *, yaml: str = "", note: str = "", rare: bool = False) -> Option:
    """Return an option of the intercepting proxy; *yaml* is given where it does not follow from *key*."""
    name = key.replace("_", "-")
    return Option(
        group="proxy",
        help=help,
        flags=(f"aibridge-proxy-{name}", f"ai-gateway-proxy-{name}"),
        variables=(f"CODER_AIBRIDGE_PROXY_{key.upper()}", f"CODER_AI_GATEWAY_PROXY_{key.upper()}"),
        yaml=tuple(f"{group}.{yaml or key}" for group in ("aibridgeproxy", "ai_gateway_proxy")),
        note=note,
        rare=rare,
        twins=True,
    )


def general(
    group: Group,
    flag: str,
    yaml: str | None,
    help: str,
    *,
    variable: str = "",
    short: str = "",
    note: str = "",
    rare: bool = False,
) -> Option:
    """Return an option that the original has too. ``CODERAI_X`` wins over ``CODER_X``, which may be meant for it."""
    name = variable or flag.upper().replace("-", "_")
    return Option(
        group=group,
        help=help,
        flags=(flag,),
        variables=(f"CODERAI_{name}", f"CODER_{name}"),
        yaml=() if yaml is None else (yaml,),
        short=short,
        note=note,
        rare=rare,
    )


def own(group: Group, flag: str, yaml: str | None, help: str, *, rare: bool = False) -> Option:
    """Return an option that only we have."""
    return Option(
        group=group,
        help=help,
        flags=(flag,),
        variables=("CODERAI_" + flag.upper().replace("-", "_"),),
        yaml=() if yaml is None else (yaml,),
        rare=rare,
    )
