"""How often somebody may do something. The clock is an argument."""

import math
from collections import OrderedDict
from collections.abc import Hashable
from datetime import timedelta

_ROUNDING = 1e-6


class Rate:
    """At most *most* in *per*, for each key. 0 stands for no limit.

    A whole *per*'s worth may come in one go; after that they come at the rate. What is refused is not counted.
    """

    def __init__(self, most: int, per: timedelta = timedelta(minutes=1), *, keys: int = 10_000) -> None:
        self._window = per.total_seconds()
        self._cost = self._window / most if most > 0 else 0.0
        self._keys = keys
        # By key: until when what was taken so far is paid for. Who is forgotten may take a whole *per*'s worth again.
        self._paid_until: OrderedDict[Hashable, float] = OrderedDict()

    def take(self, key: Hashable, moment: float) -> int:
        """Take one at *moment* (in seconds of any clock); return 0, or in how many seconds it can be tried again."""
        if not self._cost:
            return 0
        paid_until = max(self._paid_until.get(key, moment), moment) + self._cost
        if paid_until - moment > self._window + _ROUNDING:
            return max(1, math.ceil(paid_until - moment - self._window))
        self._paid_until[key] = paid_until
        self._paid_until.move_to_end(key)
        if len(self._paid_until) > self._keys:
            self._paid_until.popitem(last=False)
        return 0
