"""Amazon Bedrock: Claude models behind Amazon's own addresses, signatures and, with InvokeModel, words."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import quote

from coderai.access.credentials import mask
from coderai.errors import BadSettings, Invalid
from coderai.providers.bedrock_body import invoke_body, kept_betas
from coderai.providers.bedrock_credentials import Credentials, credentials_for
from coderai.providers.bedrock_signing import signed
from coderai.providers.dialect import Decoder, Dialect, Outgoing
from coderai.providers.family import Route
from coderai.records import Ask
from coderai.settings.provider import BEDROCK_MODEL, BEDROCK_SMALL_FAST_MODEL, BedrockConfig, region_of
from coderai.wire.amazon_errors import STALE, ErrorBody, exception_name
from coderai.wire.eventstream import CONTENT_TYPE, MessagesEvents
from coderai.wire.members import UNREADABLE

NO_BOTOCORE: Final = 'Amazon Bedrock needs one more package: pip install "coderai[bedrock]"'
_SMALL: Final = "haiku"
_REPLACED: Final = frozenset({b"anthropic-beta", b"accept"})
"""Beta flags go into the body. What a Messages client accepts is not what InvokeModel sends."""


def dialect_for(name: str, config: BedrockConfig, base_url: str) -> Dialect:
    """Return how the instance *name* is spoken to. Raises BadSettings when it cannot be.

    What is imported here is not imported by a server without Bedrock, nor while a first call waits.
    """
    try:
        import botocore.auth  # type: ignore[import-untyped]
        import botocore.session  # type: ignore[import-untyped]  # noqa: F401
    except ImportError as error:
        raise BadSettings(NO_BOTOCORE) from error
    if not base_url:
        raise BadSettings("region or base URL required: set BEDROCK_REGION or BEDROCK_BASE_URL")
    region = config.region or region_of(base_url)
    credentials = credentials_for(name, replace(config, region=region))
    if config.protocol == "mantle":
        return Mantle(region, credentials)
    models = Models(config.model or BEDROCK_MODEL, config.small_fast_model or BEDROCK_SMALL_FAST_MODEL)
    return InvokeModel(base_url, region, models, credentials)


@dataclass(frozen=True, slots=True)
class Models:
    """What is called instead of the models that a client knows."""

    usual: str
    small_fast: str

    def called(self, asked: str) -> str:
        """Return the model for a client's model."""
        return self.small_fast if _SMALL in asked else self.usual


class InvokeModel:
    """Bedrock's own protocol: the model is in the path, streams are binary."""

    def __init__(self, base_url: str, region: str, models: Models, credentials: Credentials) -> None:
        self._base_url = base_url
        self._region = region
        self._models = models
        self._credentials = credentials

    def model(self, asked: str) -> str:
        """Return the configured model for a client's."""
        return self._models.called(asked)

    async def translate(self, outgoing: Outgoing, route: Route, ask: Ask) -> Outgoing:
        """Return the call of InvokeModel. Raises Invalid for a body that is no JSON object, UpstreamError."""
        model = self._models.called(ask.model)
        beta = [value.decode("latin-1") for name, value in outgoing.headers if name.lower() == b"anthropic-beta"]
        try:
            body = invoke_body(outgoing.body, model, kept_betas(model, beta))
        except UNREADABLE as error:
            raise Invalid(f"the request body is not a JSON object: {error}") from error
        action = "invoke-with-response-stream" if ask.stream else "invoke"
        url = f"{self._base_url}/model/{quote(model, safe='')}/{action}"
        headers = [header for header in outgoing.headers if header[0].lower() not in _REPLACED]
        return await _signed(Outgoing("POST", url, headers, body), self._credentials, "bedrock", self._region)

    def decoder(self, status: int, headers: Mapping[str, str]) -> Decoder | None:
        """Return what makes Messages' events of a binary stream, and Messages' errors of Amazon's."""
        if status < 300 and headers.get("Content-Type", "").strip().lower().startswith(CONTENT_TYPE):
            return MessagesEvents()
        return _error_decoder(status, headers, self._credentials)


class Mantle:
    """Bedrock's endpoint that speaks the Messages API as it is, and only wants to be signed."""

    def __init__(self, region: str, credentials: Credentials) -> None:
        self._region = region
        self._credentials = credentials

    def model(self, asked: str) -> str:
        """Return the client's model."""
        return asked

    async def translate(self, outgoing: Outgoing, route: Route, ask: Ask) -> Outgoing:
        """Return the request signed. Raises UpstreamError when there is no credential."""
        return await _signed(outgoing, self._credentials, "bedrock-mantle", self._region)

    def decoder(self, status: int, headers: Mapping[str, str]) -> Decoder | None:
        """Return what makes Messages' errors of Amazon's: those that come before the endpoint itself."""
        return _error_decoder(status, headers, self._credentials)


async def _signed(outgoing: Outgoing, credentials: Credentials, service: str, region: str) -> Outgoing:
    key = await credentials.get()
    secrets = (key.secret, key.token) if key.token else (key.secret,)
    return replace(signed(outgoing, key, service, region), hint=mask(key.id), secrets=secrets)


def _error_decoder(status: int, headers: Mapping[str, str], credentials: Credentials) -> Decoder | None:
    if status < 400:
        return None
    if exception_name(headers.get("x-amzn-ErrorType", "")) in STALE:
        credentials.forget()
    return ErrorBody(status, headers)
