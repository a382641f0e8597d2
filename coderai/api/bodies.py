"""Request bodies, checked at the edge. Unknown members are ignored; ``null`` is the same as absent."""

from typing import Annotated, Final, TypeVar

from aiohttp import web
from aiohttp.web_protocol import RequestPayloadError
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from coderai.api.parameters import unstorable
from coderai.errors import Invalid, TooLarge

MOST_BYTES: Final = 1 << 20
_NANOSECONDS: Final = 2**63 - 1


class Body(BaseModel):
    """Strict: a number in quotes is no number."""

    model_config = ConfigDict(strict=True, frozen=True, hide_input_in_errors=True)


def _storable(text: str) -> str:
    if unstorable(text):
        raise ValueError("holds a character that no record can hold")
    return text


Text = Annotated[str, Field(max_length=1024), AfterValidator(_storable)]
"""What a database is asked for or keeps: PostgreSQL takes no U+0000."""


class CreateUser(Body):
    """POST /users."""

    username: Text
    email: Text | None = None
    name: Text | None = None
    password: Text | None = None
    login_type: Text | None = None
    user_status: Text | None = None
    roles: list[Text] | None = None
    service_account: bool | None = None
    is_service_account: bool | None = None


class CreateFirstUser(Body):
    """POST /users/first."""

    email: Text
    username: Text
    password: Text
    name: Text | None = None


class Login(Body):
    """POST /users/login. A username serves as well as an e-mail."""

    email: Text
    password: Text


class EditProfile(Body):
    """PUT /users/{user}/profile. What is missing stays."""

    username: Text | None = None
    name: Text | None = None
    email: Text | None = None


class SetPassword(Body):
    """PUT /users/{user}/password. The old one is needed for oneself."""

    password: Text
    old_password: Text | None = None


class SetRoles(Body):
    """PUT /users/{user}/roles: all of them, not those to add."""

    roles: Annotated[list[Text], Field(max_length=16)]


class Allowed(Body):
    """What a token is good for, of what its scopes allow."""

    type: Text
    id: Text


class CreateToken(Body):
    """POST /users/{user}/keys/tokens. A token here is good for everything that its scopes allow."""

    token_name: Text | None = None
    lifetime: Annotated[int, Field(ge=-_NANOSECONDS, le=_NANOSECONDS)] | None = None
    scopes: list[Text] | None = None
    scope: Text | None = None
    delegate: bool | None = None
    allow_list: list[Allowed] | None = None


B = TypeVar("B", bound=Body)


async def read(request: web.Request, kind: type[B]) -> B:
    """Read and check the body; an empty one is an empty object. Raises Invalid, TooLarge."""
    raw = await _bytes(request) or b"{}"
    try:
        return kind.model_validate_json(raw)
    except ValidationError as error:
        raise _invalid(error) from None


async def _bytes(request: web.Request) -> bytes:
    raw = bytearray()
    try:
        async for chunk in request.content.iter_any():
            raw += chunk
            if len(raw) > MOST_BYTES:
                raise TooLarge("The request body is too large; the limit is 1 MiB.")
    except RequestPayloadError as error:
        raise Invalid("The request body is not what its headers announce.") from error
    except ConnectionError as error:
        raise Invalid("The client left before its request was complete.") from error
    return bytes(raw)


def _invalid(error: ValidationError) -> Invalid:
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    if problems[0]["type"] == "json_invalid":
        return Invalid("The request body is not JSON.", detail=problems[0]["msg"])
    if not problems[0]["loc"]:
        return Invalid("The request body must be a JSON object.")
    return Invalid("The request body has mistakes.", [(_field(each["loc"]), each["msg"]) for each in problems])


def _field(location: tuple[int | str, ...]) -> str:
    first, *rest = location
    return str(first) + "".join(f"[{each}]" if isinstance(each, int) else f".{each}" for each in rest)
