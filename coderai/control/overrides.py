"""Which model is meant: what administrators and persons choose, and what follows from it for a person."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from coderai.access.callers import Caller
from coderai.access.roles import Right, may, require
from coderai.control.audit import note
from coderai.control.availability import Availability, trouble_with
from coderai.control.clock import Clock, now
from coderai.control.models import checked_id, writing
from coderai.control.users import UserControl
from coderai.errors import Forbidden, Invalid, NotFound
from coderai.models.choosing import (
    CONTEXTS,
    DEPLOYMENT_CONTEXTS,
    PERSONAL_CONTEXTS,
    ROOT,
    Choice,
    Mode,
    Personal,
    Trouble,
    Wishes,
    choose,
)
from coderai.store.engine import Store
from coderai.store.models import Model, Models
from coderai.store.overrides import Overrides, PersonalOverride
from coderai.store.providers import Providers

_GATE: Final = "chat_model_override_gate"
_DEPLOYMENT: Final = "chat_model_override"
_PERSONAL: Final = "user_chat_model_override"
_THRESHOLD: Final = "user_compaction_threshold"
_UNSET: Final = {ROOT: Mode.CHAT_DEFAULT}
"""What saying nothing amounts to, where it is not the administrator's choice."""


@dataclass(frozen=True, slots=True)
class Override:
    """One override as it is shown."""

    context: str
    model_id: str = ""
    mode: Mode = Mode.MODEL
    is_set: bool = False
    trouble: str = ""
    """Why it has no effect at the moment: then the next layer is asked."""


@dataclass(frozen=True, slots=True)
class OwnOverrides:
    """What a person has chosen, and whether it counts."""

    allowed: bool
    personal: Mapping[str, Override]
    deployment: Mapping[str, Override]


@dataclass(frozen=True, slots=True)
class Answer:
    """Which model is meant for a person in a context."""

    context: str
    choice: Choice
    model: Model | None = None
    """The one that was chosen."""
    compression_threshold: int | None = None
    """When its chats are summed up for this person: what the person chose goes before what the model says."""


class OverrideControl:
    """Everything that is done to overrides."""

    def __init__(self, store: Store, availability: Availability, users: UserControl, clock: Clock = now) -> None:
        self._store = store
        self._availability = availability
        self._users = users
        self._now = clock

    async def deployment(self, caller: Caller, context: str) -> Override:
        """Return the administrator's override. Raises Invalid for a context that has none."""
        _read(caller)
        _check_context(context, DEPLOYMENT_CONTEXTS)
        return (await self._deployment(caller.user_id))[context]

    async def set_deployment(self, caller: Caller, context: str, model_id: str) -> None:
        """Choose a model for everybody; '' chooses none. Raises Forbidden, Invalid."""
        require(caller, Right.KEEP_MODELS)
        _check_context(context, DEPLOYMENT_CONTEXTS)
        async with writing(self._store) as db:
            model_id = await _checked_model(db, model_id) if model_id else ""
            old = (await Overrides(db).deployment()).get(context, "")
            await Overrides(db).set_deployment(context, model_id, self._now())
            diff = {"model_config_id": (old, model_id)}
            await note(db, caller, "write", _DEPLOYMENT, context, context, diff, status=204, clock=self._now)

    async def personal_allowed(self, caller: Caller) -> bool:
        """Return whether what persons choose counts."""
        _read(caller)
        async with self._store.reading() as db:
            return await Overrides(db).personal_allowed()

    async def allow_personal(self, caller: Caller, allowed: bool) -> None:
        """Let what persons choose count, or not; it stays either way. Raises Forbidden."""
        require(caller, Right.KEEP_MODELS)
        async with writing(self._store) as db:
            diff = {"allow_users": (await Overrides(db).personal_allowed(), allowed)}
            await Overrides(db).allow_personal(allowed, self._now())
            await note(db, caller, "write", _GATE, _GATE, "personal overrides", diff, status=204, clock=self._now)

    async def own(self, caller: Caller) -> OwnOverrides:
        """Return what the caller has chosen, also while it does not count."""
        _read(caller)
        deployment = await self._deployment(caller.user_id)
        async with self._store.reading() as db:
            allowed = await Overrides(db).personal_allowed()
            chosen = await Overrides(db).personal(caller.user_id)
            trouble = await self._trouble(db, caller.user_id)
        personal = {context: _shown(context, chosen.get(context), trouble) for context in PERSONAL_CONTEXTS}
        return OwnOverrides(allowed, personal, deployment)

    async def set_own(self, caller: Caller, context: str, mode: str, model_id: str) -> None:
        """Raises Forbidden while persons may not choose, Invalid."""
        require(caller, Right.CHOOSE_OWN_MODELS)
        _check_context(context, PERSONAL_CONTEXTS)
        _check_mode(context, mode, model_id)
        async with writing(self._store) as db:
            model_id = await _checked_model(db, model_id) if mode == Mode.MODEL else ""
            await self._set_own(db, caller, context, PersonalOverride(mode, model_id))

    async def forget_own(self, caller: Caller, context: str) -> None:
        """Raises Forbidden while persons may not choose, Invalid."""
        require(caller, Right.CHOOSE_OWN_MODELS)
        _check_context(context, PERSONAL_CONTEXTS)
        async with writing(self._store) as db:
            await self._set_own(db, caller, context, None)

    async def resolve(
        self, caller: Caller, context: str, *, user: str = "me", explicit: str = "", parent: str = ""
    ) -> Answer:
        """Return which model is meant for *user* in *context*, and why.

        Raises Invalid when *explicit* names a model that this user cannot use, NotFound for a user whom the caller may
        not ask about.
        """
        _check_context(context, CONTEXTS)
        _read(caller)
        user_id = await self._person(caller, user)
        async with self._store.reading() as db:
            overrides, models = Overrides(db), {model.id: model for model in await Models(db).list()}
            own = (await overrides.personal(user_id)).get(context)
            wishes = Wishes(
                explicit=checked_id(explicit) if explicit else "",
                personal=Personal(Mode(own.mode), own.model_id) if own else None,
                personal_allowed=await overrides.personal_allowed(),
                deployment=(await overrides.deployment()).get(context, ""),
                parent=checked_id(parent) if parent else "",
                default=next((model.id for model in models.values() if model.is_default), ""),
            )
            trouble = await self._trouble(db, user_id)
            thresholds = await overrides.thresholds(user_id)
        choice = choose(context, wishes, trouble)
        model = models.get(choice.model_id)
        threshold = None if model is None else thresholds.get(model.id, model.compression_threshold)
        return Answer(context, choice, model, threshold)

    async def thresholds(self, caller: Caller) -> Mapping[str, int]:
        """Return when the caller wants chats summed up, in per cent of the context, by model."""
        _read(caller)
        async with self._store.reading() as db:
            return await Overrides(db).thresholds(caller.user_id)

    async def set_threshold(self, caller: Caller, model_id: str, percent: int | None) -> None:
        """Choose when the caller's chats with a model are summed up; None: when the model says.

        Raises NotFound, Invalid.
        """
        require(caller, Right.CHOOSE_OWN_MODELS)
        if percent is not None and not 0 <= percent <= 100:
            raise Invalid("Invalid compression threshold.", [("threshold_percent", "must be from 0 to 100 per cent")])
        model_id = checked_id(model_id)
        async with writing(self._store) as db:
            model = await Models(db).get(model_id)
            if not model.enabled and not may(caller, Right.READ_ALL_MODELS):
                raise NotFound("model", model_id)
            old = (await Overrides(db).thresholds(caller.user_id)).get(model_id)
            await Overrides(db).set_threshold(caller.user_id, model_id, percent, self._now())
            diff = {"threshold_percent": (old, percent)}
            target = f"{caller.username} {model.shown}"
            await note(db, caller, "write", _THRESHOLD, caller.user_id, target, diff, clock=self._now)

    async def _person(self, caller: Caller, user: str) -> str:
        if user == "me":
            return caller.user_id
        seen = self._users.named if may(caller, Right.READ_ALL_MODELS) else self._users.find
        return (await seen(caller, user)).id

    async def _deployment(self, user_id: str) -> Mapping[str, Override]:
        async with self._store.reading() as db:
            chosen = await Overrides(db).deployment()
            trouble = await self._trouble(db, user_id)
        return {
            context: Override(context, model_id, is_set=bool(model_id), trouble=trouble(model_id) if model_id else "")
            for context in DEPLOYMENT_CONTEXTS
            for model_id in [chosen.get(context, "")]
        }

    async def _set_own(
        self, db: AsyncConnection, caller: Caller, context: str, wanted: PersonalOverride | None
    ) -> None:
        if not await Overrides(db).personal_allowed():
            raise Forbidden("personal model overrides are switched off here; an administrator can allow them")
        old = (await Overrides(db).personal(caller.user_id)).get(context)
        await Overrides(db).set_personal(caller.user_id, context, wanted, self._now())
        diff = {
            "mode": (old and old.mode, wanted and wanted.mode),
            "model_config_id": (old and old.model_id, wanted and wanted.model_id),
        }
        target = f"{caller.username} {context}"
        await note(db, caller, "write", _PERSONAL, caller.user_id, target, diff, status=204, clock=self._now)

    async def _trouble(self, db: AsyncConnection, user_id: str) -> Trouble:
        """Return what says why this user cannot use a model."""
        models = {model.id: model for model in await Models(db).list()}
        providers = await Providers(db).list()
        usable = await self._availability.usable(db, user_id, providers)

        def trouble(model_id: str) -> str:
            model = models.get(model_id)
            return "there is no such model any more" if model is None else trouble_with(model, usable)

        return trouble


def _read(caller: Caller) -> None:
    if not may(caller, Right.READ_ALL_MODELS):
        require(caller, Right.READ_MODELS)


def _check_context(context: str, contexts: tuple[str, ...]) -> None:
    if context not in contexts:
        raise Invalid("This context is not known.", [("context", f"must be one of {', '.join(contexts)}")])


def _check_mode(context: str, mode: str, model_id: str) -> None:
    modes = [each.value for each in Mode if not (context == ROOT and each is Mode.DEPLOYMENT_DEFAULT)]
    if mode not in modes:
        raise Invalid("This mode is not known.", [("mode", f"must be one of {', '.join(modes)}")])
    if mode == Mode.MODEL and not model_id:
        raise Invalid("A model is missing.", [("model_config_id", "is required with the mode model")])


async def _checked_model(db: AsyncConnection, model_id: str) -> str:
    """Return the id of a model that can be chosen. Raises Invalid."""
    model_id = checked_id(model_id)
    found = next((model for model in await Models(db).list() if model.id == model_id), None)
    wrong = "there is no such model" if found is None else found.trouble
    if wrong:
        raise Invalid("This model cannot be chosen.", [("model_config_id", wrong)])
    return model_id


def _shown(context: str, own: PersonalOverride | None, trouble: Trouble) -> Override:
    if own is None:
        return Override(context, mode=_UNSET.get(context, Mode.DEPLOYMENT_DEFAULT))
    wrong = trouble(own.model_id) if own.model_id else ""
    return Override(context, own.model_id, Mode(own.mode), is_set=True, trouble=wrong)
