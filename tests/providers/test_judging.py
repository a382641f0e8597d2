"""What an exchange says about its provider."""

import pytest

from coderai.providers.breaker import Breakers, Rule, State, judge
from coderai.records import Ending, ErrorType

OPEN, CLOSED, NOTHING = "failure", "success", "nothing"
FAILED, LIMITED, BAD = ErrorType.SERVER_ERROR, ErrorType.RATE_LIMITED, ErrorType.BAD_REQUEST


@pytest.mark.parametrize(
    ("ending", "status", "error_type", "own_key", "verdict"),
    [
        (Ending.COMPLETE, 200, None, False, CLOSED),
        (Ending.INCOMPLETE, 200, None, True, CLOSED),
        *((ending, 200, None, False, NOTHING) for ending in (Ending.CLIENT_LEFT, Ending.CANCELLED, Ending.REFUSED)),
        (Ending.CLIENT_LEFT, 503, FAILED, False, NOTHING),
        *((ending, 200, None, False, OPEN) for ending in (Ending.BROKEN_OFF, Ending.TIMEOUT)),
        *((Ending.UPSTREAM_ERROR, status, FAILED, True, OPEN) for status in (500, 502, 503, 504, 520, 529)),
        *((Ending.UPSTREAM_ERROR, status, BAD, False, NOTHING) for status in (301, 400, 401, 403, 404, 413, 422, 501)),
        (Ending.UPSTREAM_ERROR, 429, LIMITED, False, OPEN),
        (Ending.UPSTREAM_ERROR, 429, LIMITED, True, NOTHING),
        *((Ending.UPSTREAM_ERROR, 200, kind, False, OPEN) for kind in (FAILED, LIMITED, ErrorType.OVERLOADED, None)),
        (Ending.UPSTREAM_ERROR, 200, LIMITED, True, NOTHING),
        (Ending.UPSTREAM_ERROR, 200, BAD, False, NOTHING),
        (Ending.UPSTREAM_ERROR, 200, ErrorType.UNAUTHORIZED, False, NOTHING),
        (Ending.BROKEN_OFF, 502, None, False, OPEN),
        (Ending.TIMEOUT, 504, None, True, OPEN),
    ],
)
def test_verdicts(ending, status, error_type, own_key, verdict):
    breakers = Breakers(Rule(threshold=2))
    breakers.enter("openai", "/v1/responses", "m").failed()
    judge(breakers.enter("openai", "/v1/responses", "m"), ending, status, error_type, own_key=own_key)
    states = [state for _, state in breakers.states()]
    assert states == {OPEN: [State.OPEN], CLOSED: [], NOTHING: [State.CLOSED]}[verdict]
