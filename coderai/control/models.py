"""The registry of models: which are there, how they are asked, which is the default. Relayed traffic never sees it."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from coderai.access.callers import Caller
from coderai.access.roles import Right, may, require
from coderai.control.audit import created, differing, note
from coderai.control.availability import Availability, trouble_with
from coderai.control.catalogue import Catalogue, ordered
from coderai.control.clock import Clock, now
from coderai.control.users import as_uuid
from coderai.errors import Invalid, NotFound
from coderai.ids import new_id
from coderai.models.checking import tidied, violations
from coderai.models.families import SPEECHES
from coderai.models.request import Message, ModelSpec, Request, build_request
from coderai.store.engine import Store
from coderai.store.models import TOPIC, Model, Models, Owner
from coderai.store.providers import Provider, Providers

RESOURCE: Final = "chat_model_config"
_NAME_LENGTH: Final = 256
_OPTIONS_BYTES: Final = 64 << 10
_MOST_TOKENS: Final = 2**63 - 1
_NOTED: Final = (
    "model",
    "display_name",
    "enabled",
    "is_default",
    "context_limit",
    "compression_threshold",
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a model shall be; for a change None and empty texts leave things as they are."""

    provider: str | None = None
    """Id or name."""
    model: str = ""
    display_name: str = ""
    context_limit: int | None = None
    compression_threshold: int | None = None
    enabled: bool | None = None
    is_default: bool | None = None
    options: Mapping[str, Any] | None = None
    """All of them: those that are missing are unset."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A model, and why the person who asked cannot use it now; '' when nothing is wrong."""

    model: Model
    trouble: str = ""


class ModelControl:
    """Everything that is done to models."""

    def __init__(self, store: Store, availability: Availability, clock: Clock = now) -> None:
        self._store = store
        self._availability = availability
        self._now = clock

    async def list(self, caller: Caller) -> Sequence[Seen]:
        """Return all, or for those who do not manage them the enabled ones; by type of provider, provider, model."""
        everything = _sees_all(caller)
        async with self._store.reading() as db:
            models = [model for model in await Models(db).list() if everything or model.enabled]
            return await self._seen(db, caller, ordered(models))

    async def get(self, caller: Caller, model_id: str) -> Seen:
        """Raises NotFound, also for a disabled one when the caller does not see those; Invalid for what is no id."""
        everything = _sees_all(caller)
        async with self._store.reading() as db:
            model = await Models(db).get(checked_id(model_id))
            if not (everything or model.enabled):
                raise NotFound("model", model_id)
            return (await self._seen(db, caller, [model]))[0]

    async def catalogue(self, caller: Caller) -> Catalogue:
        """Return the enabled models of enabled providers, and who of these can be called by the caller."""
        everything = _sees_all(caller)
        async with self._store.reading() as db:
            providers = [each for each in await Providers(db).list() if each.enabled]
            usable = await self._availability.usable(db, caller.user_id, providers)
            models = [model for model in await Models(db).list() if model.enabled]
        return Catalogue(ordered(models), [(each, usable[each.id]) for each in providers], everything)

    async def add(self, caller: Caller, wanted: Wanted) -> Seen:
        """Register a model; the first one is the default. Raises Forbidden, Invalid with every mistake."""
        require(caller, Right.KEEP_MODELS)
        async with self._writing() as db:
            before = await Models(db).list()
            owner, wrong = await _owner(db, wanted.provider or "")
            moment = self._now()
            model = Model(
                id=new_id(),
                provider=owner or Owner("", "", ""),
                model=wanted.model.strip(),
                display_name=wanted.display_name.strip(),
                context_limit=wanted.context_limit or 0,
                compression_threshold=70 if wanted.compression_threshold is None else wanted.compression_threshold,
                enabled=wanted.enabled is not False,
                is_default=bool(wanted.is_default) or not before,
                options=tidied(wanted.options or {}),
                created_at=moment,
                updated_at=moment,
                created_by=caller.user_id,
                updated_by=caller.user_id,
            )
            _check(model, wrong)
            await Models(db).insert(model)
            if model.is_default:
                await Models(db).set_default(model.id)
            diff = created(**{name: getattr(model, name) for name in _NOTED}, provider=model.provider.name)
            diff = {**diff, **_options_diff({}, model.options)}
            await note(db, caller, "create", RESOURCE, model.id, model.shown, diff, clock=self._now)
            return (await self._seen(db, caller, [model]))[0]

    async def change(self, caller: Caller, model_id: str, wanted: Wanted) -> Seen:
        """Raises Forbidden, NotFound, Invalid with every mistake."""
        require(caller, Right.KEEP_MODELS)
        model_id = checked_id(model_id)
        async with self._writing() as db:
            old = await Models(db).get(model_id)
            owner, wrong = (old.provider, []) if wanted.provider is None else await _owner(db, wanted.provider)
            new = replace(
                _patched(old, wanted), provider=owner or old.provider, updated_at=self._now(), updated_by=caller.user_id
            )
            _check(new, wrong)
            new = replace(new, is_default=await _default_after(db, old, wanted.is_default))
            await Models(db).update(new)
            diff = {**differing(old, new, *_NOTED), **_options_diff(old.options, new.options)}
            diff["provider"] = (old.provider.name, new.provider.name)
            await note(db, caller, "write", RESOURCE, new.id, new.shown, diff, clock=self._now)
            return (await self._seen(db, caller, [new]))[0]

    async def remove(self, caller: Caller, model_id: str) -> None:
        """Another one becomes the default, if this was it. Raises Forbidden, NotFound."""
        require(caller, Right.KEEP_MODELS)
        model_id = checked_id(model_id)
        async with self._writing() as db:
            old = await Models(db).get(model_id)
            if old.is_default:
                await Models(db).set_default(await _next_default(db, old.id))
            await Models(db).remove(old.id, self._now())
            diff = {name: (getattr(old, name), None) for name in _NOTED} | _options_diff(old.options, {})
            await note(db, caller, "delete", RESOURCE, old.id, old.shown, diff, clock=self._now)

    async def request(
        self, caller: Caller, model_id: str, prompt: str, *, stream: bool = False, effort: str | None = None
    ) -> tuple[Model, Request]:
        """Return the call that asks this model *prompt*; nothing is sent. Raises NotFound, Invalid."""
        model = (await self.get(caller, model_id)).model
        if model.provider.type not in SPEECHES:
            wrong = f"models of a provider of type {model.provider.type} cannot be asked"
            raise Invalid("This model cannot be asked.", [("ai_provider_id", wrong)])
        spec = ModelSpec(model.provider.type, model.model, model.options)
        return model, build_request(spec, [Message("user", prompt)], stream=stream, effort=effort)

    async def _seen(self, db: AsyncConnection, caller: Caller, models: Sequence[Model]) -> Sequence[Seen]:
        usable = await self._availability.usable(db, caller.user_id, await Providers(db).list())
        return [Seen(model, trouble_with(model, usable)) for model in models]

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[AsyncConnection]:
        """One writer at a time, of all processes: there is exactly one default."""
        async with writing(self._store) as db:
            yield db


@asynccontextmanager
async def writing(store: Store) -> AsyncIterator[AsyncConnection]:
    """A transaction that keeps others from changing models meanwhile: the row of the topic is its lock."""
    async with store.transaction() as db:
        await store.changed(db, TOPIC)
        yield db


def checked_id(text: str) -> str:
    """Return the id of a model. Raises Invalid for what is none."""
    model_id = as_uuid(text)
    if model_id is None:
        raise Invalid("Invalid chat model config ID.", detail=f"{text!r} is no UUID")
    return model_id


def spec_warnings(model: Model) -> Sequence[str]:
    """Return what of the options has no effect, or may be refused by the provider."""
    if model.provider.type not in SPEECHES:  # the configuration gave the name to a provider of another type
        return []
    spec = ModelSpec(model.provider.type, model.model, model.options)
    return [str(remark) for remark in build_request(spec, [Message("user", "")]).remarks]


def _sees_all(caller: Caller) -> bool:
    if may(caller, Right.READ_ALL_MODELS):
        return True
    require(caller, Right.READ_MODELS)
    return False


async def _owner(db: AsyncConnection, named: str) -> tuple[Owner | None, list[tuple[str, str]]]:
    """Return the provider with that id or name, and what is wrong with the name when there is none."""
    providers = await Providers(db).list()
    named = named.strip().lower()
    found = next((each for each in providers if named in (each.id, each.name)), None)
    if found is None:
        names = ", ".join(each.name for each in providers) or "none yet"
        wrong = f"there is no provider {named!r}; there are: {names}" if named else f"is required; there are: {names}"
        return None, [("ai_provider_id", wrong)]
    if found.type not in SPEECHES:
        return None, [("ai_provider_id", f"models of a provider of type {found.type} cannot be registered")]
    return _as_owner(found), []


def _as_owner(provider: Provider) -> Owner:
    return Owner(provider.id, provider.type, provider.name, provider.display_name or "", provider.enabled)


def _patched(old: Model, wanted: Wanted) -> Model:
    threshold = wanted.compression_threshold
    return replace(
        old,
        model=wanted.model.strip() or old.model,
        display_name=wanted.display_name.strip() or old.display_name,
        context_limit=old.context_limit if wanted.context_limit is None else wanted.context_limit,
        compression_threshold=old.compression_threshold if threshold is None else threshold,
        enabled=old.enabled if wanted.enabled is None else wanted.enabled,
        options=old.options if wanted.options is None else tidied(wanted.options),
    )


async def _default_after(db: AsyncConnection, old: Model, wanted: bool | None) -> bool:
    """Move the default if it is asked for, and return whether *old* has it now: the only model always does."""
    if wanted is None or wanted == old.is_default:
        return old.is_default
    chosen = old.id if wanted else await _next_default(db, old.id) or old.id
    await Models(db).set_default(chosen)
    return chosen == old.id


async def _next_default(db: AsyncConnection, besides: str) -> str | None:
    """Return the oldest other model, one that can be used if there is any."""
    others = [model for model in await Models(db).list() if model.id != besides]
    usable = [model for model in others if not model.trouble]
    return next((model.id for model in (*usable, *others)), None)


def _options_diff(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return the single options that differ, by their paths."""
    before, after = dict(_leaves(old)), dict(_leaves(new))
    return {
        path: (before.get(path), after.get(path)) for path in (*before, *(path for path in after if path not in before))
    }


def _leaves(options: Mapping[str, Any], path: str = "model_config") -> Iterator[tuple[str, Any]]:
    for name, value in options.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{path}.{name}")
        else:
            yield f"{path}.{name}", value


_MESSAGES: Final = {
    "ai_provider_id": "Chat provider is not configured.",
    "model": "Model is required.",
    "context_limit": "Context limit is required.",
    "compression_threshold": "Invalid compression threshold.",
    "model_config": "Invalid model config.",
}


def _check(model: Model, wrong: Sequence[tuple[str, str]]) -> None:
    found = [*wrong, *_wrong_members(model), *_wrong_options(model.options)]
    if not found:
        return
    kinds = {field_.partition(".")[0] for field_, _ in found}
    message = _MESSAGES.get(kinds.pop(), "") if len(kinds) == 1 else ""
    path, text = found[0]
    detail = f"{path.removeprefix('model_config.')} {text}" if message else None
    raise Invalid(message or "This model cannot be saved.", found, detail)


def _wrong_members(model: Model) -> Sequence[tuple[str, str]]:
    wrong = []
    if not model.model:
        wrong.append(("model", "is required: what the provider calls it"))
    for name in ("model", "display_name"):
        text = getattr(model, name)
        if len(text) > _NAME_LENGTH or not text.isprintable():
            wrong.append((name, f"must be at most {_NAME_LENGTH} printable characters"))
    if not 0 < model.context_limit <= _MOST_TOKENS:
        wrong.append(("context_limit", "must be greater than zero"))
    if not 0 <= model.compression_threshold <= 100:
        wrong.append(("compression_threshold", "must be from 0 to 100 per cent; 100 switches it off"))
    return wrong


def _wrong_options(options: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
    wrong = violations(options)
    if not wrong and len(msgspec.json.encode(options)) > _OPTIONS_BYTES:
        wrong.append(("model_config", f"must be at most {_OPTIONS_BYTES >> 10} KiB"))
    return wrong
