"""``Settings``: every option with its value, as one frozen model. A new option is one field in one of its parts."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from coderai.settings.forms import Form, sqlite_url
from coderai.settings.gateway import GatewayOptions
from coderai.settings.general import AccessOptions, LoggingOptions, NetworkOptions, OtherOptions, StorageOptions
from coderai.settings.options import Option
from coderai.settings.provider import ProviderConfig
from coderai.settings.proxying import ProxyOptions

_T = TypeVar("_T")


class Settings(
    BaseSettings,
    OtherOptions,
    LoggingOptions,
    AccessOptions,
    StorageOptions,
    NetworkOptions,
    ProxyOptions,
    GatewayOptions,
):
    """What the server runs with.

    Made by ``load``; ``Settings(http_address="127.0.0.1:0")`` gives the defaults with changes, for tests. Neither reads
    the environment by itself, nor ``.env`` files.
    """

    model_config = SettingsConfigDict(frozen=True, extra="forbid", validate_default=False)

    providers: tuple[ProviderConfig, ...] = ()
    """In the order: legacy openai, legacy anthropic, indexed, YAML."""

    @property
    def database(self) -> str:
        """The URL of the database in use. May hold a password: not for logs."""
        return self.database_url.get_secret_value() or sqlite_url(self.data_dir / "coderai.db")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Nothing is read behind the loader's back."""
        return (init_settings,)


class Layer(PydanticBaseSettingsSource):
    """One of the places that settings come from: values by field name, still as they were written."""

    def __init__(self, values: Mapping[str, object]) -> None:
        super().__init__(Settings)
        self._values = values

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Return the value of one field, None when this layer does not have it."""
        return self._values.get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        """Return what this layer has."""
        return dict(self._values)


@dataclass(frozen=True, slots=True)
class Row:
    """One option with everything about it."""

    name: str
    """Attribute of ``Settings``."""
    option: Option
    form: Form
    default: Any

    @property
    def flag(self) -> str:
        """The spelling that messages use."""
        return "--" + self.option.flags[0]


@cache
def table() -> Mapping[str, Row]:
    """Return every option by attribute name, in the order of their definition."""
    rows = {}
    for part in (
        GatewayOptions,
        ProxyOptions,
        NetworkOptions,
        StorageOptions,
        AccessOptions,
        LoggingOptions,
        OtherOptions,
    ):
        for name, info in part.model_fields.items():
            rows[name] = Row(name, _only(info, Option), _only(info, Form), info.default)
    return rows


def _only(info: FieldInfo, wanted: type[_T]) -> _T:
    return next(item for item in info.metadata if isinstance(item, wanted))
