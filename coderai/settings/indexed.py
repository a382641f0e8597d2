"""Providers in the environment: ``CODER_AIBRIDGE_PROVIDER_<N>_<KEY>``, and the two older single ones."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from coderai.errors import BadSettings
from coderai.settings.drafts import Draft
from coderai.settings.layers import Source, did_you_mean
from coderai.settings.model import Settings

PREFIXES: Final = ("CODER_AIBRIDGE_PROVIDER_", "CODER_AI_GATEWAY_PROVIDER_")

_TEXTS: Final = {
    "TYPE": "type",
    "NAME": "name",
    "BASE_URL": "base_url",
    "BEDROCK_REGION": "bedrock_region",
    "BEDROCK_BASE_URL": "bedrock_base_url",
    "BEDROCK_MODEL": "bedrock_model",
    "BEDROCK_SMALL_FAST_MODEL": "bedrock_small_fast_model",
    "BEDROCK_ROLE_ARN": "bedrock_role_arn",
    "BEDROCK_EXTERNAL_ID": "bedrock_external_id",
    "BEDROCK_PROTOCOL": "bedrock_protocol",
}
_ONE: Final = {
    "KEY": "keys",
    "BEDROCK_ACCESS_KEY": "bedrock_access_keys",
    "BEDROCK_ACCESS_KEY_SECRET": "bedrock_access_key_secrets",
}
_LISTS: Final = {name + "S": attribute for name, attribute in _ONE.items()}
_KEYS: Final = (*_TEXTS, *_ONE, *_LISTS)


def read_indexed(environ: Mapping[str, str], warnings: list[str]) -> list[Draft]:
    """Return the indexed providers in the order of their indices. Raises BadSettings."""
    prefix = _prefix(environ)
    drafts: list[Draft] = []
    seen: dict[str, str] = {}
    for rest, name, value in sorted(_entries(environ, prefix), key=_order):
        if rest in seen:
            raise BadSettings(f"{seen[rest]} and {name} are the same variable; remove one")
        seen[rest] = name
        number, underscore, key = rest.partition("_")
        if not underscore:
            raise BadSettings(f"invalid variable {name}; providers are written {prefix}<N>_<KEY>")
        index = _index(name, number)
        if index > len(drafts):
            raise BadSettings(f"{name}: index {len(drafts)} is skipped; indices start at 0 and have no gaps")
        if index == len(drafts):
            drafts.append(Draft(where=f"provider {index} ({prefix}{index}_*)", source="environment"))
        if key not in _KEYS:
            warnings.append(f"{name}: unknown key, ignored{did_you_mean(key, _KEYS)}")
        elif value:
            _assign(drafts[index], key, value)
    return drafts


def _prefix(environ: Mapping[str, str]) -> str:
    used = [prefix for prefix in PREFIXES if any(value for _, _, value in _entries(environ, prefix))]
    if len(used) > 1:
        raise BadSettings(f"both {PREFIXES[0]}* and {PREFIXES[1]}* are set: they are two names of one list; use one")
    return used[0] if used else PREFIXES[0]


def _entries(environ: Mapping[str, str], prefix: str) -> Iterator[tuple[str, str, str]]:
    """Yield (upper-cased rest of the name, name as it is, value)."""
    for name, value in environ.items():
        if name.upper().startswith(prefix):
            yield name.upper()[len(prefix) :], name, value


def _order(entry: tuple[str, str, str]) -> tuple[int, str, str]:
    number, _, key = entry[0].partition("_")
    return (int(number) if re.fullmatch(r"[0-9]{1,9}", number, re.ASCII) else 0), key, entry[1]


def _index(name: str, number: str) -> int:
    if not re.fullmatch(r"0|[1-9][0-9]{0,8}", number, re.ASCII):
        raise BadSettings(f'{name}: cannot parse number "{number}"; indices are 0, 1, 2 and so on')
    return int(number)


def _assign(draft: Draft, key: str, value: str) -> None:
    if key in _TEXTS:
        setattr(draft, _TEXTS[key], value)
        return
    attribute = _ONE.get(key) or _LISTS[key]
    if getattr(draft, attribute) is not None:
        one = key.removesuffix("S") if key in _LISTS else key
        raise BadSettings(f"{draft.where}: {one} and {one}S are both set; use one of them")
    setattr(draft, attribute, value.split(",") if key in _LISTS else [value])


def legacy(settings: Settings, provenance: Mapping[str, Source]) -> list[Draft]:
    """Return the providers of the older variables: ``openai`` if it has a key, ``anthropic`` with a key or Bedrock."""
    drafts = []
    if key := settings.aibridge_openai_key.get_secret_value():
        drafts.append(
            Draft(
                where=str(provenance["aibridge_openai_key"]),
                source="legacy environment",
                type="openai",
                base_url=settings.aibridge_openai_base_url,
                keys=[key],
            )
        )
    anthropic = _legacy_anthropic(settings)
    given = [name for name in _ANTHROPIC if name in provenance and provenance[name].kind != "default"]
    if anthropic.keys or anthropic.speaks_of_bedrock:
        anthropic.where = " and ".join(str(provenance[name]) for name in given)
        drafts.append(anthropic)
    return drafts


_ANTHROPIC: Final = (
    "aibridge_anthropic_key",
    "aibridge_bedrock_region",
    "aibridge_bedrock_base_url",
    "aibridge_bedrock_access_key",
    "aibridge_bedrock_access_key_secret",
)


def _legacy_anthropic(settings: Settings) -> Draft:
    key, access_key, secret = (
        [value.get_secret_value()] if value.get_secret_value() else None
        for value in (
            settings.aibridge_anthropic_key,
            settings.aibridge_bedrock_access_key,
            settings.aibridge_bedrock_access_key_secret,
        )
    )
    draft = Draft(
        where="anthropic",
        source="legacy environment",
        type="anthropic",
        keys=key,
        bedrock_region=settings.aibridge_bedrock_region,
        bedrock_base_url=settings.aibridge_bedrock_base_url,
        bedrock_access_keys=access_key,
        bedrock_access_key_secrets=secret,
        bedrock_model=settings.aibridge_bedrock_model,
        bedrock_small_fast_model=settings.aibridge_bedrock_small_fast_model,
    )
    if not draft.speaks_of_bedrock:
        draft.base_url = settings.aibridge_anthropic_base_url
    return draft
