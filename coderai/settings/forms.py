"""How values are written: one annotated type per form, for texts of flags and variables and values of YAML."""

import base64
import binascii
import csv
import re
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, SecretStr

from coderai import durations
from coderai.errors import Invalid


@dataclass(frozen=True, slots=True)
class Form:
    """The name of a form, as help and comments show it. In the metadata of every annotated type below."""

    name: str
    secret: bool = False
    """Never shown, never in YAML."""


_TRUE: Final = frozenset({"1", "t", "T", "true", "TRUE", "True"})
_FALSE: Final = frozenset({"0", "f", "F", "false", "FALSE", "False"})
_HOST: Final = re.compile(r"[A-Za-z0-9._%:-]*")


def _read_bool(value: object) -> bool:
    text = str(value)
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ValueError('write "true" or "false"')


def _read_int(value: object) -> int:
    text = str(value)
    if isinstance(value, bool) or not re.fullmatch(r"-?[0-9]{1,18}", text, re.ASCII):
        raise ValueError("write a whole number")
    return int(text)


def _read_text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("write a text (in YAML: between quotes)")
    if "\0" in value:
        raise ValueError("a text cannot hold the character U+0000")
    return value


def _read_path(value: object) -> Path:
    return value if isinstance(value, Path) else Path(_read_text(value))


def _read_duration(value: object) -> timedelta:
    if isinstance(value, timedelta):
        return value
    try:
        return durations.parse(str(value))
    except Invalid as error:
        raise ValueError(str(error)) from error


def _read_list(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(split_list(_read_text(value)))
    if not isinstance(value, list | tuple):
        raise ValueError("write a list of texts")
    return tuple(_read_text(item) for item in value)


def split_list(text: str) -> list[str]:
    """Return the items of a comma-separated list, with quotes as in CSV. Raises ValueError."""
    if not text.strip():
        return []
    try:
        rows = list(csv.reader([text], strict=True, skipinitialspace=True))
    except csv.Error as error:
        raise ValueError("write a list separated by commas, with closed quotes and without line breaks") from error
    return [item.strip() for item in rows[0]] if rows else []


def join_list(items: tuple[str, ...]) -> str:
    """Return *items* as one text that ``split_list`` reads back."""
    return ",".join('"' + item.replace('"', '""') + '"' if re.search(r'[",\s]', item) else item for item in items)


def _check_address(text: str) -> str:
    if text:
        split_address(text)
    return text


def split_address(text: str) -> tuple[str | None, int]:
    """Return host and port of ``host:port``; None for an empty host, which means all interfaces. Raises ValueError."""
    host, colon, port = text.rpartition(":")
    if not colon or not re.fullmatch(r"[0-9]{1,5}", port, re.ASCII) or int(port) > 65535:
        raise ValueError('write host:port, for example "127.0.0.1:3000", or ":3000" for all interfaces')
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError('an IPv6 address needs brackets, for example "[::1]:3000"')
    if not _HOST.fullmatch(host):
        raise ValueError(f'"{host}" is no host name or address')
    return host or None, int(port)


def sqlite_url(file: Path) -> str:
    """Return the URL of the database in *file*, whatever its name."""
    return "sqlite:///" + str(file).replace("%", "%25").replace("?", "%3F")


def check_http_url(text: str) -> str:
    """Return *text* if it is an absolute http or https URL. Raises ValueError, without repeating the text."""
    if "://" not in text:
        raise ValueError('the scheme is missing; write an absolute URL, for example "https://ai.example.com"')
    try:
        parts = urlsplit(text)
        port_is_fine = parts.port is None or parts.port > 0
    except ValueError:
        port_is_fine, parts = False, urlsplit("")
    if not port_is_fine or parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError('write an absolute URL with http:// or https://, for example "https://ai.example.com"')
    if re.search(r"[\s\x00-\x1f\x7f]", text):
        raise ValueError("a URL cannot hold white space or control characters")
    return text


def holds_password(text: str) -> bool:
    """Say whether *text* looks like a URL with a user or a password in it, so that it must not be shown."""
    return bool(re.search(r"//[^/?#]*@", text))


def _check_url_or_nothing(text: str) -> str:
    return check_http_url(text) if text else text


def _check_regexes(texts: tuple[str, ...]) -> tuple[str, ...]:
    for text in texts:
        try:
            re.compile(text)
        except re.error as error:
            raise ValueError(f'"{text}" is no regular expression: {error}') from error
    return texts


def _check_networks(texts: tuple[str, ...]) -> tuple[str, ...]:
    for text in texts:
        try:
            ip_network(text)
        except ValueError as error:
            raise ValueError(f'"{text}" is no network; write for example "10.0.0.0/8"') from error
    return texts


def _check_key_list(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    for position, key in enumerate(text.split(",") if text else []):
        try:
            size = len(base64.b64decode(key.strip(), validate=True))
        except (binascii.Error, ValueError):
            size = 0
        if size != 32:
            raise ValueError(f"the key at position {position} is not the base64 form of 32 bytes")
    return secret


@dataclass(frozen=True, slots=True)
class Between:
    """Bounds of a number or of a duration, both included."""

    low: int
    high: int | None = None

    def __call__(self, number: int) -> int:
        if number < self.low or (self.high is not None and number > self.high):
            bounds = f"{self.low} or more" if self.high is None else f"{self.low} to {self.high}"
            raise ValueError(f"write a number: {bounds}")
        return number


@dataclass(frozen=True, slots=True)
class OneOf:
    """The words that are allowed."""

    words: tuple[str, ...]

    def __call__(self, text: str) -> str:
        if text not in self.words:
            raise ValueError("write one of: " + ", ".join(self.words))
        return text


def _positive(duration: timedelta) -> timedelta:
    if not duration:
        raise ValueError("it must be longer than 0")
    return duration


Bool = Annotated[bool, Form("bool"), BeforeValidator(_read_bool)]
Int = Annotated[int, Form("int"), BeforeValidator(_read_int)]
Count = Annotated[Int, AfterValidator(Between(0))]
Text = Annotated[str, Form("string"), BeforeValidator(_read_text)]
Texts = Annotated[tuple[str, ...], Form("string-array"), BeforeValidator(_read_list)]
Regexes = Annotated[Texts, AfterValidator(_check_regexes)]
Networks = Annotated[Texts, AfterValidator(_check_networks)]
Duration = Annotated[timedelta, Form("duration"), BeforeValidator(_read_duration)]
PositiveDuration = Annotated[Duration, AfterValidator(_positive)]
Address = Annotated[str, Form("host:port"), BeforeValidator(_read_text), AfterValidator(_check_address)]
Url = Annotated[str, Form("url"), BeforeValidator(_read_text), AfterValidator(_check_url_or_nothing)]
FilePath = Annotated[Path, Form("path"), BeforeValidator(_read_path)]
Secret = Annotated[SecretStr, Form("secret", secret=True)]
SecretKeys = Annotated[Secret, AfterValidator(_check_key_list)]
