"""What one batch does to the tables, worked out before any of it is done. Knows no database; both writers follow it."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from coderai.records import Begun, Ended, Interception, Link, Thought, ToolCall, Usage
from coderai.store import record_rows as r
from coderai.store import writer as w
from coderai.store.rollup import SessionKey

Thread = tuple[str, str, str]
"""(root, session id, initiator id)."""


class State(NamedTuple):
    """What the table says about an interception."""

    id: str
    session_id: str
    parent_id: str | None
    root_id: str | None
    ended_at: Any
    ending: str | None


class Caller(NamedTuple):
    """An interception that asked for a tool."""

    id: str
    root_id: str | None
    session: str | None


@dataclass(frozen=True, slots=True)
class Values:
    """How the database wants its values."""

    moment: r.AsMoment
    flag: Callable[[bool], Any]


class Plan:
    """One batch. To be used in the order of its methods."""

    def __init__(self, batch: Sequence[w.Item], known: Mapping[str, Link], process_id: str, values: Values) -> None:
        self._batch = batch
        self._known = known
        self._process_id = process_id
        self._values = values
        self._callers: dict[tuple[str, str], list[Caller]] = defaultdict(list)
        self._links: dict[str, Link] = {}
        self._session_ids: dict[str, str] = {}
        self._starts: dict[str, r.Row] = {}
        self._prompts: dict[str, r.Row] = {}
        self._ends: dict[str, Ended] = {}
        self._assumed: set[SessionKey] = set()

    def ended_ids(self) -> list[str]:
        """Interceptions whose state must be known, in key order."""
        return sorted({item.interception.id for item in self._batch if isinstance(item, Ended)})

    def all_ids(self) -> list[str]:
        """Every interception of the batch, in key order."""
        return sorted({item.interception.id for item in self._batch})

    def wanted_callers(self, states: Mapping[str, State]) -> list[tuple[str, str]]:
        """(call id, initiator) of the tool results that starts bring and that are not known to belong to anybody."""
        return sorted(
            {
                (r.call_key(it.tool_result_id), it.initiator_id)
                for it in (item.interception for item in self._batch)
                if it.tool_result_id and it.id not in states and it.id not in self._known
            }
        )

    def found_caller(self, call_id: str, initiator_id: str, caller: Caller) -> None:
        """Take note of an answer to ``wanted_callers``; the newest comes first."""
        self._callers[call_id, initiator_id].append(caller)

    def place(self, states: Mapping[str, State]) -> None:
        """Decide for every item what becomes of it."""
        for item in self._batch:
            self._place(item, states.get(item.interception.id))

    def place_again(self, state: State) -> None:
        """A start of ours was there already, from an earlier try, which may have brought its end too."""
        self._exists(state)
        self._starts.pop(state.id, None)
        if (ended := self._ends.pop(state.id, None)) is not None:
            self._place_end(ended, state)

    @property
    def starts(self) -> dict[str, r.Row]:
        """Rows of new interceptions, by id."""
        return self._starts

    def prompts(self) -> list[r.Row]:
        """Rows of their prompts."""
        return _sorted(self._prompts.values())

    def ends(self) -> list[r.Row]:
        """What becomes of interceptions that end, in key order; ``END_COLUMNS``."""
        return [r.end_row(self._ends[key], self._values.moment) for key in sorted(self._ends)]

    def ending_ids(self) -> list[str]:
        """Interceptions that end."""
        return sorted(self._ends)

    def answered(self) -> list[tuple[str, str]]:
        """(interception, the provider's id of the answer) for the prompts that were answered."""
        return [
            (key, r.clean(ended.end.answer.response_id))
            for key, ended in sorted(self._ends.items())
            if ended.interception.prompt is not None and ended.end.answer.response_id
        ]

    def children(self) -> tuple[list[r.Row], list[r.Row], list[r.Row]]:
        """Rows of usages, tool calls and thoughts."""
        usages: list[r.Row] = []
        tools: list[r.Row] = []
        thoughts: list[r.Row] = []
        moment = self._values.moment
        for ended in self._ends.values():
            for stamped in ended.facts:
                match stamped.fact:
                    case Usage() as usage:
                        usages.append(r.usage_row(ended.interception, stamped, usage, moment))
                    case ToolCall() as call:
                        tools.append(r.tool_row(ended.interception, stamped, call, moment))
                    case Thought() as thought:
                        thoughts.append(r.thought_row(ended.interception, stamped, thought, moment))
        return _sorted(usages), _sorted(tools), _sorted(thoughts)

    def threads(self) -> list[Thread]:
        """Threads that interceptions which end belong to, in sessions that only grow."""
        return sorted({self._thread(ended) for ended in self._ends.values()} - self._recounted_threads())

    def roll_up(self, new: Collection[Thread] = ()) -> tuple[list[r.Row], list[r.Row]]:
        """Rows to merge into sessions and facets; *new* are the threads to count."""
        added = w.RollUp()
        left = set(new)
        for _, ended in sorted(self._ends.items()):
            thread = self._thread(ended)
            if thread[1:] not in self._assumed:
                added.add(ended, thread[1], new_thread=thread in left)
                left.discard(thread)
        moment = self._values.moment
        sessions = [w.session_row(delta, moment) for delta in added.sessions()]
        return sessions, [w.facet_row(delta, moment) for delta in added.facets()]

    def to_recount(self) -> list[SessionKey]:
        """Sessions with an end that replaces an assumed one: to be computed anew."""
        return sorted(self._assumed)

    def links(self) -> list[Link]:
        """The link of each item."""
        return [self._links[item.interception.id] for item in self._batch]

    def _place(self, item: w.Item, state: State | None) -> None:
        it = item.interception
        if state is not None:
            self._exists(state)
        elif it.id not in self._links:
            # A start, or the end of what retention purged while it ran.
            prompt_id = item.prompt_id if isinstance(item, Begun) else it.id
            link = self._known.get(it.id) or self._link(it)
            self._links[it.id], self._session_ids[it.id] = link, r.session_of(it, link)
            values = self._values
            self._starts[it.id] = r.interception_row(it, link, self._process_id, values.moment, values.flag)
            if prompt_id and it.prompt is not None:
                self._prompts[it.id] = r.prompt_row(it, prompt_id, values.moment)
        if isinstance(item, Ended):
            self._place_end(item, state)

    def _exists(self, state: State) -> None:
        self._links[state.id] = Link(state.parent_id, state.root_id)
        self._session_ids[state.id] = state.session_id

    def _place_end(self, ended: Ended, state: State | None) -> None:
        it = ended.interception
        ended_at, ending = (state.ended_at, state.ending) if state else (None, None)
        if it.id not in self._ends and w.may_be_replaced(ended_at, ending, ended.end.ending):
            self._ends[it.id] = ended
            if ended_at is not None:
                self._assumed.add((self._session_ids[it.id], it.initiator_id))
        for stamped in ended.facts:
            if isinstance(call := stamped.fact, ToolCall) and call.call_id:
                caller = Caller(it.id, self._links[it.id].root_id, r.client_session(it))
                self._callers[r.call_key(call.call_id), it.initiator_id].insert(0, caller)

    def _link(self, it: Interception) -> Link:
        if not it.tool_result_id:
            return Link()
        session = r.client_session(it)
        for caller in self._callers.get((r.call_key(it.tool_result_id), it.initiator_id), ()):
            same = session is None or caller.session is None or session == caller.session
            if caller.id != it.id and same:
                return r.linked(caller.id, caller.root_id)
        return Link()

    def _thread(self, ended: Ended) -> Thread:
        it = ended.interception
        return self._links[it.id].root_id or it.id, self._session_ids[it.id], it.initiator_id

    def _recounted_threads(self) -> set[Thread]:
        threads = (self._thread(ended) for ended in self._ends.values())
        return {thread for thread in threads if thread[1:] in self._assumed}


def _sorted(rows: Iterable[r.Row]) -> list[r.Row]:
    """In key order: all keys are the first two columns."""
    return sorted(rows, key=lambda row: row[:2])
