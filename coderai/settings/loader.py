"""``load``: flags over environment over YAML over defaults, option by option, and checked."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import SecretStr, ValidationError

from coderai.errors import BadSettings
from coderai.settings.drafts import finish
from coderai.settings.environment import read_environment
from coderai.settings.flags import Action, read_flags
from coderai.settings.forms import holds_password
from coderai.settings.indexed import legacy, read_indexed
from coderai.settings.layers import Found, Source, describe
from coderai.settings.listed import Surroundings, read_listed
from coderai.settings.model import Layer, Settings, table
from coderai.settings.secretfiles import with_files_read
from coderai.settings.yamlfile import Document, read_yaml

_CONFIG_VARIABLES = ("CODERAI_CONFIG_PATH", "CODER_CONFIG_PATH")


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings, and what there is to say about them."""

    settings: Settings
    provenance: Mapping[str, Source] = field(default_factory=dict)
    """By attribute name; what is not in it is a default."""
    warnings: tuple[str, ...] = ()
    """One line each."""
    action: Action = "serve"
    config: str = ""
    """The YAML file that was read."""
    listed: tuple[Mapping[str, object], ...] = ()
    """The providers of the YAML file as they are written there, without secrets."""

    def source(self, name: str) -> Source:
        """Return where the value of an option came from."""
        return self.provenance.get(name, Source("default"))


def load(arguments: Sequence[str], environ: Mapping[str, str], read_file: Callable[[str], str]) -> Loaded:
    """Return what ``coderai server`` runs with. Depends on nothing but its arguments.

    Raises BadSettings, which is BadUsage when the command line itself is wrong; no text of it holds a secret.
    """
    warnings: list[str] = []
    environ = with_files_read(environ, read_file)
    flags = read_flags(arguments, warnings)
    if flags.action == "help":
        return Loaded(Settings(), action="help")
    config = flags.config or next((environ[name] for name in _CONFIG_VARIABLES if environ.get(name)), "")
    document = read_yaml(config, read_file, warnings) if config else Document()
    layers = (flags.values, read_environment(environ, warnings), document.values)
    found: dict[str, Found] = {}
    for layer in reversed(layers):
        found |= layer
    provenance = {name: one.source for name, one in found.items()}
    settings = _validated(layers, found, environ)
    _check_agreement(settings)
    indexed = read_indexed(environ, warnings)
    listed = read_listed(document, Surroundings(environ, read_file))
    providers = finish([*legacy(settings, provenance), *indexed, *listed], _aws_region(environ))
    settings = settings.model_copy(update={"providers": providers})
    warnings += _notes(settings, provenance)
    return Loaded(settings, provenance, tuple(warnings), flags.action, config, document.providers)


def _aws_region(environ: Mapping[str, str]) -> str:
    return environ.get("AWS_REGION", "") or environ.get("AWS_DEFAULT_REGION", "")


def _validated(
    layers: Sequence[Mapping[str, Found]], found: Mapping[str, Found], environ: Mapping[str, str]
) -> Settings:
    sources = tuple(Layer({name: one.value for name, one in layer.items()}) for layer in layers)
    try:
        settings = Settings(_build_sources=(sources, {}))
    except ValidationError as error:
        # Not chained: pydantic's text repeats the input, which may be secret.
        troubles = [_trouble(found, str(line["loc"][0]), line["msg"]) for line in error.errors(include_input=False)]
        raise BadSettings("; ".join(f"{where}: {what}" for where, what in troubles), troubles) from None
    return settings.model_copy(update={"data_dir": _at_home(settings.data_dir, environ)})


def _trouble(found: Mapping[str, Found], name: str, message: str) -> tuple[str, str]:
    what = message.removeprefix("Value error, ")
    one = found[name]
    shown_already = isinstance(one.value, str) and f'"{one.value}"' in what
    return str(one.source) if shown_already else describe(table()[name], one.source, one.value), what


def _at_home(path: Path, environ: Mapping[str, str]) -> Path:
    """Return *path* with a leading ``~`` replaced."""
    if path.parts[:1] != ("~",):
        return path
    if not environ.get("HOME"):
        raise BadSettings(f"{path}: the variable HOME is not set; give --data-dir an absolute path")
    return Path(environ["HOME"]).joinpath(*path.parts[1:])


def _check_agreement(settings: Settings) -> None:
    """Check what no option can know by itself; tell all of it at once."""
    troubles = [*_troubles_of_listeners(settings), *_troubles_of_headers(settings), *_troubles_of_proxy(settings)]
    if troubles:
        raise BadSettings("; ".join(troubles), [("", each) for each in troubles])


def _troubles_of_headers(settings: Settings) -> Iterator[str]:
    one, two = (name.lower() for name in (settings.aibridge_actor_header_id, settings.aibridge_actor_header_username))
    if one and one == two:
        yield f'--aibridge-actor-header-id and --aibridge-actor-header-username are both "{one}"'


def _troubles_of_listeners(settings: Settings) -> Iterator[str]:
    certificates, keys = len(settings.tls_cert_file), len(settings.tls_key_file)
    if not settings.http_address and not settings.tls_enable:
        yield "nothing to listen on: --http-address is empty and --tls-enable is off"
    if settings.tls_enable and not settings.tls_address:
        yield "--tls-enable needs a --tls-address"
    if settings.tls_enable and not certificates and not keys:
        yield "--tls-enable needs a certificate: --tls-cert-file and --tls-key-file"
    elif certificates != keys:
        yield f"--tls-cert-file and --tls-key-file must be given equally often ({certificates} and {keys})"
    if settings.tls_client_auth != "none" and not settings.tls_client_ca_file:
        yield f"--tls-client-auth {settings.tls_client_auth} needs a --tls-client-ca-file"
    if settings.redirect_to_access_url and not settings.access_url:
        yield "--redirect-to-access-url needs an --access-url"


def _troubles_of_proxy(settings: Settings) -> Iterator[str]:
    if not settings.aibridge_proxy_enabled:
        return
    if not settings.aibridge_enabled:
        yield "--aibridge-proxy-enabled needs the gateway: --aibridge-enabled"
    if not settings.aibridge_proxy_listen_addr:
        yield "--aibridge-proxy-enabled needs an --aibridge-proxy-listen-addr"
    if bool(settings.aibridge_proxy_tls_cert_file) != bool(settings.aibridge_proxy_tls_key_file):
        yield "--aibridge-proxy-tls-cert-file and --aibridge-proxy-tls-key-file: set both or neither"
    if bool(settings.aibridge_proxy_cert_file) != bool(settings.aibridge_proxy_key_file):
        yield "--aibridge-proxy-cert-file and --aibridge-proxy-key-file: set both or neither"


def _notes(settings: Settings, provenance: Mapping[str, Source]) -> list[str]:
    """Return what to say about options that have no effect (yet), secrets in sight, and providers nobody can use."""
    notes = [
        f"{row.flag}: {row.option.note}"
        for row in table().values()
        if row.option.note and row.name in provenance and getattr(settings, row.name) != row.default
    ]
    notes += [
        f"{source.name}: other users of this machine can see the command line; better use {row.option.variables[0]}"
        for row in table().values()
        if row.form.secret and (source := provenance.get(row.name)) and _in_sight(source, getattr(settings, row.name))
    ]
    notes += [
        f'provider "{provider.name}" has {len(provider.bedrock.access_keys)} AWS access keys; only the first is used'
        for provider in settings.providers
        if provider.bedrock is not None and len(provider.bedrock.access_keys) > 1
    ]
    if not settings.aibridge_allow_byok:
        keyless = (provider for provider in settings.providers if not provider.keys and provider.bedrock is None)
        notes += [
            f'provider "{provider.name}" has no key, and users may not bring their own (--aibridge-allow-byok=false)'
            for provider in keyless
        ]
    return notes


def _in_sight(source: Source, secret: SecretStr) -> bool:
    """Say whether the command line shows a secret; an address without a password is none."""
    text = secret.get_secret_value()
    return source.kind == "flag" and bool(text) and ("://" not in text or holds_password(text))
