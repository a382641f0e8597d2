"""A provider as somebody wrote it down, and the checks that make a ``ProviderConfig`` of it."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from coderai.errors import BadSettings
from coderai.kinds import KINDS, RESERVED_NAMES, Kind
from coderai.settings.forms import check_http_url
from coderai.settings.layers import did_you_mean
from coderai.settings.provider import BedrockConfig, Protocol, ProviderConfig, region_of

MOST_KEYS: Final = 5
NAME: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*", re.ASCII)
_LONGEST_NAME: Final = 64
_API_VERSION: Final = re.compile(r"\?api-version=[A-Za-z0-9.-]{1,64}$", re.ASCII)
"""The only query that a base URL may have; a free one would be a hiding place for keys, and base URLs are shown."""

_REGION: Final = re.compile(r"[a-z0-9-]+", re.ASCII)
_ROLE: Final = re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[\w+=,.@/-]{1,512}", re.ASCII)
_EXTERNAL_ID: Final = re.compile(r"[\w+=,.@:/-]{2,1224}", re.ASCII)
_ENDPOINTS: Final = {
    "invoke-model": "https://bedrock-runtime.{}.amazonaws.com",
    "mantle": "https://bedrock-mantle.{}.api.aws/anthropic",
}


@dataclass(slots=True)
class Draft:
    """Nothing is checked yet. Lists are None when they were not given."""

    where: str
    """For messages: ``provider 0 (CODER_AIBRIDGE_PROVIDER_0_*)``."""
    source: str
    type: str = ""
    name: str = ""
    base_url: str = ""
    keys: Sequence[str] | None = None
    bedrock_region: str = ""
    bedrock_base_url: str = ""
    bedrock_access_keys: Sequence[str] | None = None
    bedrock_access_key_secrets: Sequence[str] | None = None
    bedrock_model: str = ""
    bedrock_small_fast_model: str = ""
    bedrock_role_arn: str = ""
    bedrock_external_id: str = ""
    bedrock_protocol: str = ""

    @property
    def speaks_of_bedrock(self) -> bool:
        """Model names alone do not count."""
        where = (self.bedrock_region, self.bedrock_base_url)
        return any((*where, self.bedrock_access_keys, self.bedrock_access_key_secrets, self.bedrock_role_arn))


def finish(drafts: Iterable[Draft], aws_region: str = "") -> tuple[ProviderConfig, ...]:
    """Return the drafts, checked in their order. Raises BadSettings for the first that is wrong.

    *aws_region* is what the environment says for everything of Amazon's.
    """
    finished: dict[str, ProviderConfig] = {}
    for draft in drafts:
        provider = _checked(draft, aws_region)
        if provider.name in finished:
            raise BadSettings(_taken(finished[provider.name], provider))
        finished[provider.name] = provider
    return tuple(finished.values())


def _taken(first: ProviderConfig, second: ProviderConfig) -> str:
    if first.source == second.source:
        return f'{second.origin}: the name "{second.name}" is already used by {first.origin}; choose another name'
    return f'{first.origin} and {second.origin} both configure the provider "{second.name}"; remove one of them'


def _checked(draft: Draft, aws_region: str) -> ProviderConfig:
    """Check one draft, in the order of the specification."""
    kind = _kind(draft)
    keys = _keys(draft.where, "key", draft.keys)
    bedrock = _bedrock(draft, kind, aws_region)
    if keys and not kind.takes_keys:
        raise BadSettings(f"{draft.where}: a provider of type {kind.type} takes no key; remove it")
    if keys and bedrock is not None:
        raise BadSettings(f"{draft.where}: an Anthropic key and Bedrock exclude each other; remove one of them")
    name = draft.name.strip() or kind.type
    _check_name(draft.where, name)
    return ProviderConfig(
        type=kind.type,
        name=name,
        base_url=_base_url(draft, kind, bedrock),
        keys=keys,
        bedrock=bedrock,
        source=draft.source,
        origin=draft.where,
    )


def _kind(draft: Draft) -> Kind:
    wanted = draft.type.strip()
    if not wanted:
        raise BadSettings(f"{draft.where}: TYPE is required; one of: {', '.join(KINDS)}")
    if wanted not in KINDS:
        hint = did_you_mean(wanted, KINDS)
        raise BadSettings(f'{draft.where}: unknown TYPE "{wanted}"; allowed are: {", ".join(KINDS)}{hint}')
    kind = KINDS[wanted]
    if draft.speaks_of_bedrock and kind.family != "anthropic":
        raise BadSettings(f"{draft.where}: Bedrock settings do not fit type {wanted}, only anthropic and bedrock")
    if wanted == "bedrock" and not draft.speaks_of_bedrock:
        raise BadSettings(f"{draft.where}: type bedrock needs Bedrock settings, for example BEDROCK_REGION")
    return kind


def _keys(where: str, what: str, given: Sequence[str] | None) -> tuple[str, ...]:
    keys = tuple(key.strip() for key in given or ())
    if len(keys) > MOST_KEYS:
        raise BadSettings(f"{where}: too many {what}s ({len(keys)} > {MOST_KEYS})")
    for position, key in enumerate(keys):
        if not key:
            raise BadSettings(f"{where}: the {what} at position {position} is empty")
        if not key.isascii() or not key.isprintable() or " " in key:
            raise BadSettings(
                f"{where}: the {what} at position {position} holds white space or characters beyond ASCII"
            )
        if key in keys[:position]:
            raise BadSettings(f"{where}: the {what} at position {position} is there twice")
    return keys


def _bedrock(draft: Draft, kind: Kind, aws_region: str) -> BedrockConfig | None:
    if not draft.speaks_of_bedrock or kind.family != "anthropic":
        return None
    access_keys = _keys(draft.where, "Bedrock access key", draft.bedrock_access_keys)
    secrets = _keys(draft.where, "Bedrock access key secret", draft.bedrock_access_key_secrets)
    if len(access_keys) != len(secrets):
        counts = f"{len(access_keys)} ≠ {len(secrets)}"
        raise BadSettings(f"{draft.where}: as many Bedrock access keys as secrets are needed ({counts})")
    base_url = draft.bedrock_base_url.strip()
    if base_url:
        _check_url(draft.where, "BEDROCK_BASE_URL", base_url)
    role_arn, external_id = _role(draft)
    return BedrockConfig(
        region=_region(draft, base_url or draft.base_url.strip(), aws_region),
        base_url=base_url,
        access_keys=access_keys,
        access_key_secrets=secrets,
        model=draft.bedrock_model.strip(),
        small_fast_model=draft.bedrock_small_fast_model.strip(),
        role_arn=role_arn,
        external_id=external_id,
        protocol=_protocol(draft),
    )


def _region(draft: Draft, base_url: str, aws_region: str) -> str:
    """Return the region: as given, as in the address, as the environment says. A signature cannot do without one."""
    region, aws_region = draft.bedrock_region.strip(), aws_region.strip()
    region = region or (region_of(base_url, aws_region) if base_url else aws_region)
    if region and not _REGION.fullmatch(region):
        raise BadSettings(f'{draft.where}: "{region}" is no AWS region; write for example "us-west-2"')
    return region


def _role(draft: Draft) -> tuple[str, str]:
    """Return ARN and external id of the role to assume."""
    arn, external_id = draft.bedrock_role_arn.strip(), draft.bedrock_external_id.strip()
    if arn and not _ROLE.fullmatch(arn):
        example = "arn:aws:iam::123456789012:role/bedrock"
        raise BadSettings(f'{draft.where}: BEDROCK_ROLE_ARN: "{arn}" is no role; write for example "{example}"')
    if external_id and not arn:
        raise BadSettings(f"{draft.where}: BEDROCK_EXTERNAL_ID is for a role; set BEDROCK_ROLE_ARN too, or remove it")
    if external_id and not _EXTERNAL_ID.fullmatch(external_id):
        raise BadSettings(f"{draft.where}: BEDROCK_EXTERNAL_ID holds characters that no external id may have")
    return arn, external_id


def _protocol(draft: Draft) -> Protocol:
    match draft.bedrock_protocol.strip():
        case "" | "invoke-model":
            return "invoke-model"
        case "mantle":
            return "mantle"
        case other:
            raise BadSettings(f'{draft.where}: BEDROCK_PROTOCOL: "{other}" is neither "invoke-model" nor "mantle"')


def _check_name(where: str, name: str) -> None:
    if not NAME.fullmatch(name) or len(name) > _LONGEST_NAME:
        example = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:_LONGEST_NAME] or "my-provider"
        raise BadSettings(
            f'{where}: the name "{name}" may hold only a-z, 0-9 and "-" between them, for example "{example}"'
        )
    if name in RESERVED_NAMES:
        reserved = ", ".join(sorted(RESERVED_NAMES))
        raise BadSettings(f'{where}: the name "{name}" is reserved ({reserved}); for example "my-{name}" is free')


def _base_url(draft: Draft, kind: Kind, bedrock: BedrockConfig | None) -> str:
    base_url = draft.base_url.strip()
    if base_url:
        is_versioned = kind.family == "openai" and _API_VERSION.search(base_url)  # only Azure OpenAI wants that
        _check_url(draft.where, "BASE_URL", base_url.partition("?")[0] if is_versioned else base_url)
        return base_url
    if bedrock is not None:
        return bedrock.base_url or (_ENDPOINTS[bedrock.protocol].format(bedrock.region) if bedrock.region else "")
    if kind.default_base_url is None:
        example = f'BASE_URL is required, for example "{kind.example_base_url}"'
        raise BadSettings(f"{draft.where}: type {kind.type} has no default address; {example}")
    return kind.default_base_url


def _check_url(where: str, what: str, url: str) -> None:
    """The URL is not repeated: somebody may have put a password into it."""
    try:
        check_http_url(url)
    except ValueError as error:
        raise BadSettings(f"{where}: {what}: {error}") from error
    parts = urlsplit(url)
    if parts.username is not None or parts.password is not None or "@" in parts.netloc:
        raise BadSettings(f"{where}: {what}: no user and no password in the URL, please")
    if "?" in url or "#" in url:
        raise BadSettings(f'{where}: {what}: a base URL ends before "?" and "#"')
