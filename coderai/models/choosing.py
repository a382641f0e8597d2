"""Which model is meant, and why: overrides in layers, each of which may fall through to the next."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from coderai.errors import Invalid

GENERAL: Final = "general"
EXPLORE: Final = "explore"
TITLES: Final = "title_generation"
ROOT: Final = "root"
DEPLOYMENT_CONTEXTS: Final = (GENERAL, EXPLORE, TITLES)
"""What an administrator can override."""
PERSONAL_CONTEXTS: Final = (ROOT, GENERAL, EXPLORE)
"""What a person can, when the administrator allows it."""
CONTEXTS: Final = (ROOT, GENERAL, EXPLORE, TITLES)


class Mode(StrEnum):
    """What a personal override says."""

    MODEL = "model"
    CHAT_DEFAULT = "chat_default"
    """Look no further: the chat's own model."""
    DEPLOYMENT_DEFAULT = "deployment_default"
    """What the administrator chose; the same as saying nothing."""


class Layer(StrEnum):
    """Where a choice came from."""

    EXPLICIT = "explicit"
    PERSONAL = "personal"
    DEPLOYMENT = "deployment"
    PARENT = "parent"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Personal:
    """One person's override of one context."""

    mode: Mode
    model_id: str = ""


@dataclass(frozen=True, slots=True)
class Wishes:
    """Everything that may have a say. Ids of models; '' says nothing."""

    explicit: str = ""
    """Named in the request itself."""
    personal: Personal | None = None
    personal_allowed: bool = False
    deployment: str = ""
    parent: str = ""
    """The model of the chat it is for."""
    default: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One layer that was asked."""

    layer: Layer
    outcome: str
    model_id: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """The answer; without a model the reason says why there is none."""

    model_id: str
    layer: Layer | None
    reason: str
    steps: tuple[Step, ...]
    """Every layer that was asked, in order; the last one decided."""


Trouble = Callable[[str], str]
"""Says why this person cannot use a model now; '' when nothing is wrong with it."""


def choose(context: str, wishes: Wishes, trouble: Trouble) -> Choice:
    """Return the model for one of ``CONTEXTS``.

    Raises Invalid when a model is named explicitly and cannot be used: that never falls through to another one.
    """
    if wishes.explicit:
        if wrong := trouble(wishes.explicit):
            raise Invalid("This model cannot be used.", [("model_config_id", wrong)])
        return _decided([], Step(Layer.EXPLICIT, "named in the request", wishes.explicit))
    asked: list[Step] = []
    for step in _steps(context, wishes, trouble):
        if step.model_id:
            return _decided(asked, step)
        asked.append(step)
    reason = asked[-1].outcome if asked else "nothing says which model to use"
    return Choice("", None, reason, tuple(asked))


def _steps(context: str, wishes: Wishes, trouble: Trouble) -> Iterator[Step]:
    """Ask the layers; the first step with a model decides."""
    ends_at_chat = False
    if context in PERSONAL_CONTEXTS:
        yield _personal(wishes, trouble)
        ends_at_chat = _only_the_chat(wishes)
    if context in DEPLOYMENT_CONTEXTS and not ends_at_chat:
        step = _tried(Layer.DEPLOYMENT, wishes.deployment, "no override is set", trouble)
        if context == TITLES and wishes.deployment and not step.model_id:
            yield Step(step.layer, f"{step.outcome}; no title is generated with another one")
            return
        yield step
    if context == ROOT:
        yield _tried(Layer.DEFAULT, wishes.default, "no default model is set", trouble)
    else:
        yield _tried(Layer.PARENT, wishes.parent, "the chat has no model", trouble)


def _personal(wishes: Wishes, trouble: Trouble) -> Step:
    own = wishes.personal
    if not wishes.personal_allowed:
        return Step(Layer.PERSONAL, "personal overrides are not allowed here")
    if own is None or own.mode is Mode.DEPLOYMENT_DEFAULT:
        return Step(Layer.PERSONAL, "no personal override is set")
    if own.mode is Mode.CHAT_DEFAULT:
        return Step(Layer.PERSONAL, "the personal override says: the chat's own model")
    return _tried(Layer.PERSONAL, own.model_id, "no personal override is set", trouble)


def _only_the_chat(wishes: Wishes) -> bool:
    own = wishes.personal
    return wishes.personal_allowed and own is not None and own.mode is Mode.CHAT_DEFAULT


_WON: Final = {
    Layer.PERSONAL: "the person's own override",
    Layer.DEPLOYMENT: "the administrator's override",
    Layer.PARENT: "the model of the chat",
    Layer.DEFAULT: "the default model",
}


def _tried(layer: Layer, model_id: str, nothing: str, trouble: Trouble) -> Step:
    if not model_id:
        return Step(layer, nothing)
    if wrong := trouble(model_id):
        return Step(layer, f"{_WON[layer]} cannot be used: {wrong}")
    return Step(layer, _WON[layer], model_id)


def _decided(before: list[Step], step: Step) -> Choice:
    return Choice(step.model_id, step.layer, step.outcome, (*before, step))
