"""What a file asks for, held against the database: unknown names, missing fields, addresses. Writes nothing."""

from collections.abc import Iterable
from typing import Any

from catalog.addresses import check_base_url
from catalog.models import Credential, Model, Provider
from portal.config.quotas import unknown_models
from portal.config.wanted import Wanted, WantedProvider


def check(wanted: Wanted, found: list[str]) -> list[str]:
    """Return every mistake that only the database can show, each with its path; not where one was `found` already."""
    providers = {row.slug: row for row in Provider.objects.select_related("credential")}
    models = set(Model.objects.values_list("slug", flat=True))
    mistakes = [
        *_providers(wanted, providers),
        *_models(wanted, providers.keys(), models),
        *_aliases(wanted, models | wanted.models.keys()),
        *_teams(wanted, models),
        *_quotas(wanted, models | wanted.models.keys()),
    ]
    spoilt = {mistake.partition(": ")[0] for mistake in found}
    spoilt |= {path.removesuffix("internal") + "base_url" for path in spoilt if path.endswith(".internal")}
    return [mistake for mistake in mistakes if mistake.partition(": ")[0] not in spoilt]


def _providers(wanted: Wanted, standing: dict[str, Provider]) -> list[str]:
    mistakes: list[str] = []
    for slug, fields in wanted.providers.items():
        if fields.get("state") == "absent":
            continue
        row = standing.get(slug)
        mistakes += [f"providers.{slug}.{mistake}" for mistake in _address(fields, row)]
        credential = fields.get("credential")
        if credential and "sealed" in credential and not _is_sealed(row):
            mistakes.append(
                f"providers.{slug}.credential.sealed: no secret is stored here for this provider; "
                "give env, file or value instead"
            )
    return mistakes


def _address(fields: WantedProvider, row: Provider | None) -> list[str]:
    kind = fields.get("kind", row.kind if row else "remote")
    if kind == Provider.Kind.DEMO:
        return ["base_url: the demo engine has no address of its own"] if fields.get("base_url") else []
    address = fields.get("base_url", row.base_url if row else "")
    if not address:
        return ["base_url: missing; a new provider needs an address such as https://api.example.com/v1"]
    try:
        check_base_url(address, internal=fields.get("internal", row.internal if row else False))
    except ValueError as mistake:
        return [f"base_url: {mistake}"]
    return []


def _is_sealed(row: Provider | None) -> bool:
    credential = getattr(row, "credential", None)
    return credential is not None and credential.source == Credential.Source.SEALED


def _models(wanted: Wanted, providers: Iterable[str], standing: set[str]) -> list[str]:
    absent = {slug for slug, fields in wanted.providers.items() if fields.get("state") == "absent"}
    known = {*providers, *wanted.providers} - absent
    mistakes: list[str] = []
    for slug, fields in wanted.models.items():
        if slug not in standing and "context_tokens" not in fields:
            mistakes.append(f"models.{slug}.context_tokens: missing; a new model needs its context window in tokens")
        for n, row in enumerate(fields.get("deployments", [])):
            name = row.get("provider")  # absent where that is a mistake found already
            if name and name not in known:
                mistakes.append(f'models.{slug}.deployments[{n}].provider: there is no provider "{name}"')
    return mistakes


def _aliases(wanted: Wanted, known: set[str]) -> list[str]:
    return [
        f'aliases.{name}: there is no model "{slug}"'
        for name, slug in wanted.aliases.items()
        if slug and slug not in known
    ]


def _quotas(wanted: Wanted, known: set[str]) -> list[str]:
    mistakes = unknown_models(wanted.organisation_quotas or [], "organisation", known)
    sections: dict[str, Any] = {"models": wanted.models, "people": wanted.people, "teams": wanted.teams}
    for section, entries in sections.items():
        for name, fields in entries.items():
            mistakes += unknown_models(fields.get("quotas", []), f"{section}.{name}", known)
    for team, wanted_team in wanted.teams.items():
        for name, application in wanted_team.get("applications", {}).items():
            mistakes += unknown_models(application.get("quotas", []), f"teams.{team}.applications.{name}", known)
    return mistakes


def _teams(wanted: Wanted, standing: set[str]) -> list[str]:
    known = standing | wanted.models.keys()
    return [
        f'teams.{team}.models[{n}]: there is no model "{slug}"'
        for team, fields in wanted.teams.items()
        for n, slug in enumerate(fields.get("models", []))
        if slug and slug not in known
    ]
