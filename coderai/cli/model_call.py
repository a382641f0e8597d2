"""What ``coderai models test`` sends, and what it makes of the answer."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from coderai.cli.connection import Api, segment
from coderai.cli.model_shapes import Call
from coderai.cli.run import Run
from coderai.cli.shapes import NewKey, read
from coderai.cli.text import one_line
from coderai.costs import cost_micros
from coderai.errors import CoderaiError
from coderai.models.pricing import prices
from coderai.models.replies import complaint, said
from coderai.records import Api as WireApi
from coderai.records import Usage
from coderai.wire.apis import WIRES

_TOKENS: Final = "/api/v2/users/me/keys"
_TWO_MINUTES: Final = 120 * 10**9
_LONGEST: Final = 500


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model said, and what that took."""

    text: str
    usage: Usage | None = None
    micros: int | None = None
    """Of a dollar; None when nobody knows."""

    @property
    def effort(self) -> str:
        """Tokens and dollars for people; '' when nothing is known."""
        if self.usage is None:
            return ""
        read_tokens = self.usage.input + self.usage.cache_read + self.usage.cache_write
        price = "" if self.micros is None else f", ${self.micros / 1_000_000:f}"
        return f", {read_tokens} in / {self.usage.output} out{price}"


def sent(run: Run, api: Api, asking: Call) -> tuple[int, bytes]:
    """Call the data plane: with the token that signs the command in, else with one for two minutes."""
    if not api.address:
        raise CoderaiError("no server is running here: start one with `coderai server`, or name one with --url")
    if api.has_token:
        return api.ask_as_tool(asking.path, asking.body, asking.headers)
    key = read(api.call("POST", f"{_TOKENS}/tokens", {"lifetime": _TWO_MINUTES, "scopes": ["ai:use"]}), NewKey).key
    try:
        with run.server(api.address, key) as server:
            return server.ask_as_tool(asking.path, asking.body, asking.headers)
    finally:
        api.call("DELETE", f"{_TOKENS}/{segment(key.partition('-')[0])}")


def understood(asking: Call, status: int, body: bytes, options: Mapping[str, Any]) -> Reply:
    """Return what an answer says. Raises CoderaiError, with one line, for anything but an answer."""
    text = said(WireApi(asking.api), body) if status == 200 else None
    if text is None:
        reason = complaint(body) if status != 200 else "this is no answer of that API"
        raise CoderaiError(f"{status} {one_line(reason)[:_LONGEST]}".rstrip())
    wire = WIRES[WireApi(asking.api)]
    facts = wire.read_answer(body, wire.read_request(json.dumps(asking.body).encode())).facts
    usage = next((fact for fact in facts if isinstance(fact, Usage)), None)
    micros = None if usage is None else cost_micros(usage, prices(options))
    return Reply(one_line(text)[:_LONGEST], usage, micros)
