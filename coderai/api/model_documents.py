"""The answers about models as types; see ``documents``."""

from typing import Any, Literal, NotRequired

from coderai.api.documents import Document, Moment

Reason = Literal["missing_api_key", "user_api_key_required", "fetch_failed"]


class Listed(Document):
    id: str
    provider: str
    model: str
    display_name: str
    model_config_id: str
    ai_provider_id: str
    provider_name: str
    is_default: bool
    context_limit: int
    available: bool
    unavailable_reason: NotRequired[Reason]
    unavailable_detail: NotRequired[str]


class ListedProvider(Document):
    provider: str
    display_name: str
    available: bool
    unavailable_reason: NotRequired[Reason]
    models: list[Listed]


class UnsupportedProvider(Document):
    provider: str
    display_name: str


class Listing(Document):
    providers: list[ListedProvider]
    unsupported_providers: list[UnsupportedProvider]


class Registered(Document):
    id: str
    ai_provider_id: str
    provider: str
    provider_name: str
    model: str
    display_name: str
    enabled: bool
    is_default: bool
    context_limit: int
    compression_threshold: int
    model_config: NotRequired[dict[str, Any]]
    model_config_warnings: NotRequired[list[str]]
    reasoning_efforts: NotRequired[list[str]]
    usable: bool
    unusable_reason: str
    created_at: Moment
    updated_at: Moment


class CataloguedModel(Registered):
    organization_id: str


class CataloguedProvider(Document):
    id: str
    type: str
    name: str
    display_name: str
    icon: str
    enabled: bool
    has_api_key: bool
    has_user_api_key: bool
    has_effective_api_key: bool
    allow_user_api_key: bool
    available: bool


class Catalogued(Document):
    models: list[CataloguedModel]
    providers: list[CataloguedProvider]
    unsupported_providers: list[UnsupportedProvider]


class Call(Document):
    api: str
    method: str
    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    warnings: list[str]


class DeploymentOverride(Document):
    context: str
    model_config_id: str
    is_malformed: bool
    is_set: bool
    usable: bool
    unusable_reason: str


class PersonalOverride(DeploymentOverride):
    mode: str


class Gate(Document):
    allow_users: bool


class Defaults(Document):
    general: DeploymentOverride
    explore: DeploymentOverride


class OwnOverrides(Document):
    enabled: bool
    root: PersonalOverride
    general: PersonalOverride
    explore: PersonalOverride
    deployment_defaults: Defaults


class Asked(Document):
    layer: str
    model_config_id: str
    outcome: str


class Resolved(Document):
    context: str
    model_config_id: str
    model: str
    display_name: str
    provider_name: str
    compression_threshold: int | None
    layer: str
    reason: str
    steps: list[Asked]


class Threshold(Document):
    model_config_id: str
    threshold_percent: int


class Thresholds(Document):
    thresholds: list[Threshold]
