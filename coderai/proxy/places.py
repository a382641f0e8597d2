"""How many tunnels there may be, together and for one token."""

from collections import Counter
from http import HTTPStatus

from coderai.proxy.refusals import Refusal


class Places:
    """Counts what is open."""

    def __init__(self, most: int, per_token: int) -> None:
        self._most = most
        self._per_token = per_token
        self._by_token: Counter[str] = Counter()
        self.taken = 0

    def take(self, token_id: str) -> Refusal | None:
        """Take one place, to be given back; or say why there is none."""
        if self.taken >= self._most:
            text = f"all {self._most} tunnels of this proxy are in use; try again later"
            return Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "full", text, retry_after=1)
        if self._by_token[token_id] >= self._per_token:
            text = f"{self._per_token} tunnels are open with this token: close some"
            return Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "token_full", text, retry_after=1)
        self.taken += 1
        self._by_token[token_id] += 1
        return None

    def give_back(self, token_id: str) -> None:
        """The tunnel is closed."""
        self.taken -= 1
        self._by_token[token_id] -= 1
        if not self._by_token[token_id]:
            del self._by_token[token_id]
