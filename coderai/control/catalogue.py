"""The models a person can choose from: what is hidden, what is grouped, what is shown with a reason."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from coderai.control.availability import Reason, Usable
from coderai.models.families import SPEECHES, UNSUPPORTED, place
from coderai.store.models import Model
from coderai.store.providers import Provider


@dataclass(frozen=True, slots=True)
class Group:
    """The models of one type of provider."""

    type: str
    available: bool
    reason: Reason = ""
    models: Sequence[tuple[Model, Usable]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Everything that is enabled, as one person sees it."""

    models: Sequence[Model]
    providers: Sequence[tuple[Provider, Usable]]
    whole: bool
    """Whether the person sees, with the reason, what it cannot use."""

    def offered(self) -> Sequence[tuple[Model, Usable]]:
        """Return the models by type of provider, provider and model; without a usable provider they are hidden."""
        known = {provider.id: usable for provider, usable in self.providers if provider.type in SPEECHES}
        shown = [(model, known[model.provider.id]) for model in self.models if model.provider.id in known]
        return [(model, usable) for model, usable in shown if self.whole or usable.available]

    def supported(self) -> Sequence[tuple[Provider, Usable]]:
        """Return the providers that models can be asked through, with or without a model."""
        found = [(provider, usable) for provider, usable in self.providers if provider.type in SPEECHES]
        return sorted(found, key=lambda each: (place(each[0].type), each[0].name))

    def groups(self) -> Sequence[Group]:
        """Return the same by type of provider, where of models that are called alike one is enough."""
        groups = []
        for type_ in SPEECHES:
            usable = [each for provider, each in self.providers if provider.type == type_]
            available = any(each.available for each in usable)
            if usable and (available or self.whole):
                offered = [(model, each) for model, each in self.offered() if model.provider.type == type_]
                groups.append(Group(type_, available, "" if available else usable[0].reason, _distinct(offered)))
        return groups

    def unsupported(self) -> Sequence[str]:
        """Return the types that are configured and that no model works with."""
        return [type_ for type_ in UNSUPPORTED if any(provider.type == type_ for provider, _ in self.providers)]


def ordered(models: Sequence[Model]) -> list[Model]:
    """Return *models* in the order of every list."""
    return sorted(models, key=_place)


def _place(model: Model) -> tuple[object, ...]:
    owner = model.provider
    return place(owner.type), owner.name, model.model.lower(), model.display_name.lower(), model.created_at, model.id


def _distinct(offered: Sequence[tuple[Model, Usable]]) -> Sequence[tuple[Model, Usable]]:
    """Of two that are called alike the one that can be used is listed, else the older one."""
    best = sorted(offered, key=lambda each: (not each[1].available, each[0].created_at, each[0].id))
    distinct: dict[str, tuple[Model, Usable]] = {}
    for model, usable in best:
        distinct.setdefault(model.model.lower(), (model, usable))
    return sorted(distinct.values(), key=lambda each: (each[0].model, each[0].id))
