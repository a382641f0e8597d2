"""The options of a stand-alone server: listeners, database, sign-in, logs."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, SecretStr

from coderai.settings.forms import (
    Address,
    Bool,
    Count,
    Duration,
    FilePath,
    OneOf,
    PositiveDuration,
    Regexes,
    Secret,
    SecretKeys,
    Text,
    Texts,
    Url,
)
from coderai.settings.options import Part, general, own

_NOTHING: Final = SecretStr("")
_NO_CALLS_HOME: Final = "ignored: this program never phones home"

ClientAuth = OneOf(("none", "verify-if-given", "require-and-verify"))
"""Not the ways that ask for a certificate without verifying it: it would say nothing."""
TlsVersion = OneOf(("tls12", "tls13"))
_HstsOption = OneOf(("includeSubDomains", "preload"))


class NetworkOptions(Part):
    """Where the server listens, and how others reach it."""

    http_address: Annotated[
        Address,
        general("network", "http-address", "networking.http.httpAddress", "HTTP listener; empty: no plain HTTP."),
    ] = "127.0.0.1:3000"
    access_url: Annotated[
        Url,
        general(
            "network",
            "access-url",
            "networking.accessURL",
            "URL that users reach this server at; empty: the listener's.",
        ),
    ] = ""
    redirect_to_access_url: Annotated[
        Bool,
        general(
            "network",
            "redirect-to-access-url",
            "networking.redirectToAccessURL",
            "Send browsers that came elsewhere to the access URL; needs --access-url.",
        ),
    ] = False
    tls_enable: Annotated[Bool, general("network", "tls-enable", "networking.tls.enable", "Run the TLS listener.")] = (
        False
    )
    tls_address: Annotated[Address, general("network", "tls-address", "networking.tls.address", "TLS listener.")] = (
        "127.0.0.1:3443"
    )
    tls_cert_file: Annotated[
        Texts,
        general(
            "network",
            "tls-cert-file",
            "networking.tls.certFiles",
            "Certificates in PEM form, each with its chain behind it; read again when they change.",
        ),
    ] = ()
    tls_key_file: Annotated[
        Texts, general("network", "tls-key-file", "networking.tls.keyFiles", "Keys, one per certificate.")
    ] = ()
    tls_min_version: Annotated[
        Text,
        AfterValidator(TlsVersion),
        general("network", "tls-min-version", "networking.tls.minVersion", "Oldest TLS version spoken."),
    ] = "tls12"
    tls_client_auth: Annotated[
        Text,
        AfterValidator(ClientAuth),
        general("network", "tls-client-auth", "networking.tls.clientAuth", "Whether clients need certificates."),
    ] = "none"
    tls_client_ca_file: Annotated[
        Text,
        general(
            "network",
            "tls-client-ca-file",
            "networking.tls.clientCAFile",
            "CA of the clients' certificates.",
        ),
    ] = ""
    strict_transport_security: Annotated[
        Count,
        general(
            "network",
            "strict-transport-security",
            "networking.tls.strictTransportSecurity",
            "Seconds for which browsers shall come by https only; 0: nothing is said.",
        ),
    ] = 0
    strict_transport_security_options: Annotated[
        Texts,
        AfterValidator(lambda texts: tuple(map(_HstsOption, texts))),
        general(
            "network",
            "strict-transport-security-options",
            "networking.tls.strictTransportSecurityOptions",
            "What goes with it: includeSubDomains, preload.",
            rare=True,
        ),
    ] = ()
    proxy_trusted_headers: Annotated[
        Texts,
        general(
            "network",
            "proxy-trusted-headers",
            "networking.proxyTrustedHeaders",
            "Headers that hold a client's address.",
        ),
    ] = ()
    proxy_trusted_origins: Annotated[
        Texts,
        general(
            "network",
            "proxy-trusted-origins",
            "networking.proxyTrustedOrigins",
            "Networks whose headers are believed.",
        ),
    ] = ()
    api_rate_limit: Annotated[
        Count,
        general(
            "network",
            "api-rate-limit",
            "networking.apiRateLimit",
            "Management requests per minute and user; 0 = off.",
            rare=True,
        ),
    ] = 512
    shutdown_grace: Annotated[
        Duration,
        own(
            "network",
            "shutdown-grace",
            "networking.shutdownGrace",
            "How long running exchanges may go on when the server stops.",
        ),
    ] = timedelta(seconds=30)


class StorageOptions(Part):
    """Where data is kept, and for how long."""

    data_dir: Annotated[
        FilePath, own("storage", "data-dir", "dataDir", "Directory of the embedded database and of the key file.")
    ] = Path("~/.local/share/coderai")
    database_url: Annotated[
        Secret,
        own(
            "storage",
            "database-url",
            None,
            "sqlite:///FILE or postgresql://…; empty: coderai.db in the data directory.",
        ),
    ] = _NOTHING
    database_synchronous: Annotated[
        Text,
        AfterValidator(OneOf(("full", "normal"))),
        own(
            "storage",
            "database-synchronous",
            "database.synchronous",
            "SQLite: full survives a power failure, normal a crash only.",
        ),
    ] = "full"
    recorder_begin_wait: Annotated[
        PositiveDuration,
        own(
            "storage",
            "recorder-begin-wait",
            "database.recorderBeginWait",
            "How long a call waits for its start to be stored; then it is refused with 503.",
            rare=True,
        ),
    ] = timedelta(seconds=5)
    recorder_end_wait: Annotated[
        PositiveDuration,
        own(
            "storage",
            "recorder-end-wait",
            "database.recorderEndWait",
            "How long an answer waits for its records to be stored; then it ends with an error event.",
            rare=True,
        ),
    ] = timedelta(seconds=15)
    external_token_encryption_keys: Annotated[
        SecretKeys,
        general(
            "storage",
            "external-token-encryption-keys",
            None,
            "Keys for secrets at rest: base64 of 32 bytes each, separated by commas; the first one encrypts.",
        ),
    ] = _NOTHING
    audit_logs_retention: Annotated[
        Duration,
        general(
            "storage",
            "audit-logs-retention",
            "retention.audit_logs",
            "How long changes stay in the audit log; 0 = for ever.",
        ),
    ] = timedelta()
    api_keys_retention: Annotated[
        Duration,
        general(
            "storage",
            "api-keys-retention",
            "retention.api_keys",
            "How long expired tokens stay listed; 0 = for ever.",
        ),
    ] = timedelta(days=7)


class AccessOptions(Part):
    """How people sign in, and how long tokens last."""

    session_duration: Annotated[
        PositiveDuration,
        general("access", "session-duration", "networking.http.sessionDuration", "How long a sign-in lasts."),
    ] = timedelta(hours=24)
    disable_session_expiry_refresh: Annotated[
        Bool,
        general(
            "access",
            "disable-session-expiry-refresh",
            "networking.http.disableSessionExpiryRefresh",
            "Let sign-ins end at a fixed time, also when they are in use.",
        ),
    ] = False
    disable_password_auth: Annotated[
        Bool,
        general("access", "disable-password-auth", "networking.http.disablePasswordAuth", "Refuse passwords."),
    ] = False
    max_token_lifetime: Annotated[
        PositiveDuration,
        general("access", "max-token-lifetime", "networking.http.maxTokenLifetime", "Longest lifetime of a token."),
    ] = timedelta(hours=876_600)
    max_admin_token_lifetime: Annotated[
        PositiveDuration,
        general("access", "max-admin-token-lifetime", "networking.http.maxAdminTokenLifetime", "The same for owners."),
    ] = timedelta(hours=168)
    default_token_lifetime: Annotated[
        PositiveDuration,
        general(
            "access", "default-token-lifetime", "defaultTokenLifetime", "Lifetime of a token when none is asked for."
        ),
    ] = timedelta(hours=168)
    secure_auth_cookie: Annotated[
        Bool,
        general(
            "access",
            "secure-auth-cookie",
            "networking.secureAuthCookie",
            "Send the cookie over https only; always so when the access URL is https.",
        ),
    ] = False
    samesite_auth_cookie: Annotated[
        Text,
        AfterValidator(OneOf(("lax", "none"))),
        general("access", "samesite-auth-cookie", "networking.sameSiteAuthCookie", "SameSite of the cookie."),
    ] = "lax"


class LoggingOptions(Part):
    """What the server tells about itself."""

    log_human: Annotated[
        Text,
        general(
            "logging",
            "log-human",
            "introspection.logging.humanPath",
            "File for readable log lines; empty: off.",
            variable="LOGGING_HUMAN",
        ),
    ] = "/dev/stderr"
    log_json: Annotated[
        Text,
        general(
            "logging",
            "log-json",
            "introspection.logging.jsonPath",
            "File for JSON log lines; empty: off.",
            variable="LOGGING_JSON",
        ),
    ] = ""
    log_filter: Annotated[
        Regexes,
        general(
            "logging",
            "log-filter",
            "introspection.logging.filter",
            "Regular expressions: debug lines whose logger or message match are written; .* = all.",
            short="l",
        ),
    ] = ()
    prometheus_enable: Annotated[
        Bool, general("logging", "prometheus-enable", "introspection.prometheus.enable", "Serve metrics to Prometheus.")
    ] = False
    prometheus_address: Annotated[
        Address,
        general(
            "logging",
            "prometheus-address",
            "introspection.prometheus.address",
            "Listener for metrics; it asks nobody for a token.",
        ),
    ] = "127.0.0.1:2112"
    prometheus_per_user: Annotated[
        Bool,
        own(
            "logging",
            "prometheus-per-user",
            "introspection.prometheus.perUser",
            "Count per user as well (label initiator_id): many more series.",
        ),
    ] = False
    trace: Annotated[
        Bool,
        general(
            "logging",
            "trace",
            "introspection.tracing.enable",
            "Send traces over OTLP, as the OTEL_* variables say.",
            variable="TRACE_ENABLE",
        ),
    ] = False
    trace_logs: Annotated[
        Bool,
        general("logging", "trace-logs", "introspection.tracing.captureLogs", "Send log lines as events of traces."),
    ] = False


class OtherOptions(Part):
    """Accepted for compatibility."""

    telemetry: Annotated[
        Bool,
        general(
            "other",
            "telemetry",
            "telemetry.enable",
            "Has no effect.",
            variable="TELEMETRY_ENABLE",
            note=_NO_CALLS_HOME,
            rare=True,
        ),
    ] = False
    update_check: Annotated[
        Bool, general("other", "update-check", "updateCheck", "Has no effect.", note=_NO_CALLS_HOME, rare=True)
    ] = False
