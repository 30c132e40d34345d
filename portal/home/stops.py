"""What can be stopped, by the names that people use for it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from django.urls import reverse

from catalog.models import Model, Provider
from portal.keys.reading import keys_named
from portal.keys.refusal import Refused
from portal.people.actions.rules import PeopleRefused
from portal.people.actions.stops import stop_calls
from portal.people.audit import Actor
from portal.people.models import Stop, Team

Kind = Stop.Kind

NAMES = {
    Kind.MODEL: "its id in requests, such as gpt-5",
    Kind.PROVIDER: "its short name, such as openai",
    Kind.TEAM: "its short name, such as search",
    Kind.KEY: "its id, or how its secret begins, such as atp_1a2B3c4D",
    Kind.EVERYTHING: 'the word "everything"',
}


@dataclass(frozen=True, slots=True)
class Target:
    """Something that can be stopped. `team_id` is set for a team and for a key."""

    kind: str
    id: str
    label: str
    team_id: str = ""


def target_named(kind: str, name: str, team_ids: Iterable[str] | None = None) -> Target:
    """Find what `name` means, among what belongs to `team_ids` if they are given.

    Raises PeopleRefused when there is no such thing, or more than one.
    """
    name, within = name.strip(), None if team_ids is None else frozenset(team_ids)
    if kind == Kind.EVERYTHING:
        if name.lower() != "everything":
            raise PeopleRefused('To stop every call of everybody, write "everything" as the name.')
        return Target(kind, "", "Everything")
    finder = _FINDERS.get(kind)
    if finder is None:
        raise PeopleRefused(f'"{kind}" cannot be stopped. Use {", ".join(Kind.values)}.')
    found = [target for target in finder(name) if within is None or target.team_id in within]
    if len(found) > 1:
        raise PeopleRefused(f"Several begin like that: {', '.join(target.id for target in found)}. Give an id.")
    if not found:
        raise PeopleRefused(f'There is no {kind} "{name[:100]}". Write {NAMES[Kind(kind)]}.')
    return found[0]


def stop_target(*, actor: Actor, target: Target, reason: str) -> Stop:
    """Stop it; see `stop_calls`."""
    return stop_calls(
        actor=actor, kind=target.kind, entity_id=target.id, label=target.label, reason=reason, team_id=target.team_id
    )


def address_of(stop: Stop) -> str:
    """Return the page of what is stopped; empty where it has none, or is gone."""
    if stop.kind == Kind.MODEL:
        slug = Model.objects.filter(pk=stop.entity_id).values_list("slug", flat=True).first()
        return reverse("catalog-model-detail", args=[slug]) if slug else ""
    pages = {Kind.PROVIDER: "catalog-provider-edit", Kind.TEAM: "people-team-detail", Kind.KEY: "keys-key-detail"}
    page = pages.get(Kind(stop.kind))
    return reverse(page, args=[stop.entity_id]) if page else ""


def _models(name: str) -> list[Target]:
    return [Target(Kind.MODEL, row.pk, row.slug) for row in Model.objects.filter(slug=name)]


def _providers(name: str) -> list[Target]:
    return [Target(Kind.PROVIDER, row.pk, row.name) for row in Provider.objects.filter(slug=name)]


def _teams(name: str) -> list[Target]:
    return [Target(Kind.TEAM, row.pk, row.name, row.pk) for row in Team.objects.filter(slug=name)]


def _keys(name: str) -> list[Target]:
    try:
        return [Target(Kind.KEY, row.pk, row.name, row.team_id) for row in keys_named(name)]
    except Refused:
        return []


_FINDERS: dict[str, Callable[[str], list[Target]]] = {
    Kind.MODEL: _models,
    Kind.PROVIDER: _providers,
    Kind.TEAM: _teams,
    Kind.KEY: _keys,
}
