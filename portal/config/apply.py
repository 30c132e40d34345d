"""Make the database say what a file says: one transaction, through the same actions as the pages."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils import timezone

from billing.actions.quotas import remove_quota, set_quota
from billing.models import Quota
from billing.quota_rules import QuotaError
from catalog.actions.access import set_team_models
from catalog.actions.aliases import add_alias, remove_alias, repoint_alias
from catalog.actions.credentials import remove_credential, set_credential
from catalog.actions.deployments import Place, set_deployments
from catalog.actions.models import change_model, create_model
from catalog.actions.prices import set_price
from catalog.actions.providers import change_provider, create_provider, remove_provider
from catalog.actions.routes import set_route
from catalog.models import Alias, Deployment, Model, Price, Provider
from portal.config.check import check
from portal.config.document import BadConfig
from portal.config.plan import differences
from portal.config.read import read
from portal.config.state import state
from portal.config.wanted import (
    Wanted,
    WantedApplication,
    WantedModel,
    WantedPerson,
    WantedPrice,
    WantedProvider,
    WantedQuota,
    WantedTeam,
)
from portal.people.actions.applications import create_application, set_data_floor
from portal.people.actions.people import invite_person, set_roles
from portal.people.actions.rules import PeopleRefused
from portal.people.actions.teams import change_team, create_team, remove_member, set_member
from portal.people.audit import Actor
from portal.people.models import Application, GlobalRole, Membership, Revision, Team, User

CONFIG = GlobalRole.Source.CONFIG


def apply(text: str, *, actor: Actor, dry_run: bool = False) -> list[str]:
    """Apply a configuration file, and return what changed (see `plan.differences`); nothing when all is so already.

    Raises BadConfig with every mistake; then, and with `dry_run`, nothing is changed.
    """
    wanted, mistakes = read(text)
    with transaction.atomic():
        Revision.objects.select_for_update().get(id=1)  # one file at a time
        mistakes += check(wanted, mistakes)
        before = state(wanted) if not mistakes else {}
        mistakes = mistakes or _Applying(actor).run(wanted)
        if mistakes:
            raise BadConfig(mistakes)
        lines = differences(before, state(wanted))
        if dry_run:
            transaction.set_rollback(True)
    return lines


class _Applying:
    """One run of the actions. What an action refuses is noted with its path, and the run goes on to find more."""

    def __init__(self, actor: Actor) -> None:
        self.actor = actor
        self.mistakes: list[str] = []
        self.model_ids: dict[str, str] = {}  # by slug, once the models are there

    def run(self, wanted: Wanted) -> list[str]:
        """Call the actions in the order in which things depend on each other; return the mistakes."""
        for slug, provider in wanted.providers.items():
            if provider.get("state") != "absent":
                with self._at(f"providers.{slug}"):
                    self._provider(slug, provider)
        for slug, model in wanted.models.items():
            with self._at(f"models.{slug}"):
                self._model(slug, model)
        self.model_ids = dict(Model.objects.values_list("slug", "pk"))
        for slug, model in wanted.models.items():
            if "quotas" in model and slug in self.model_ids:  # after all models, as they name each other
                self._quotas("model", self.model_ids[slug], model["quotas"], f"models.{slug}")
        for email, person in wanted.people.items():
            with self._at(f"people.{email}"):
                self._person(email, person)
        for slug, team in wanted.teams.items():
            with self._at(f"teams.{slug}"):
                self._team(slug, team)
        self._routes(wanted)  # once all that they name is there
        if wanted.organisation_quotas is not None:
            self._quotas("organisation", settings.ORGANISATION_ID, wanted.organisation_quotas, "organisation")
        for slug, provider in wanted.providers.items():
            if provider.get("state") == "absent":
                with self._at(f"providers.{slug}.state"):
                    for row in Provider.objects.filter(slug=slug):
                        remove_provider(actor=self.actor, provider=row)
        return self.mistakes

    @contextmanager
    def _at(self, path: str) -> Iterator[None]:
        try:
            with transaction.atomic():
                yield
        except ValidationError as refused:
            if hasattr(refused, "error_dict"):
                found = refused.message_dict.items()
                self.mistakes += [f"{path}.{field}: {words}" for field, all_words in found for words in all_words]
            else:
                self.mistakes += [f"{path}: {words}" for words in refused.messages]
        except (QuotaError, PeopleRefused, PermissionDenied) as refused:
            self.mistakes.append(f"{path}: {refused}")

    def _provider(self, slug: str, fields: WantedProvider) -> None:
        row = Provider.objects.filter(slug=slug).first()
        plain: dict[str, Any] = {name: value for name, value in fields.items() if name not in {"credential", "state"}}
        if row is None:
            row = create_provider(actor=self.actor, slug=slug, **plain)
        else:
            named = "sealed" not in (fields.get("credential") or {}) and "credential" in fields
            row = change_provider(actor=self.actor, provider=row, credential_follows=named, **plain)
        if "credential" not in fields:
            return
        credential = fields["credential"]
        if credential is None:
            remove_credential(actor=self.actor, provider=row)
        elif "sealed" not in credential:
            set_credential(
                actor=self.actor, provider=row,
                value=credential.get("value"), env=credential.get("env"), file=credential.get("file"),
            )  # fmt: skip

    def _model(self, slug: str, fields: WantedModel) -> None:
        special = {"name", "price", "deployments", "quotas", "route"}
        plain: dict[str, Any] = {name: value for name, value in fields.items() if name not in special}
        if "name" in fields:
            plain["display_name"] = fields["name"]
        row = Model.objects.filter(slug=slug).first()
        if row is None:
            plain.setdefault("max_output_tokens", plain["context_tokens"])
            row = create_model(actor=self.actor, slug=slug, **plain)
        else:
            row = change_model(actor=self.actor, model=row, **plain)
        for price in fields.get("price", []):
            self._price(row, price)
        if "deployments" in fields:
            names = {place["provider"] for place in fields["deployments"]}
            providers = {provider.slug: provider for provider in Provider.objects.filter(slug__in=names)}
            refused = {
                f"deployments[{n}].provider": f'the provider "{place["provider"]}" is refused above'
                for n, place in enumerate(fields["deployments"])
                if place["provider"] not in providers
            }
            if refused:
                raise ValidationError(refused)
            places = [
                Place(
                    providers[place["provider"]], place["model"], place["weight"], place["enabled"],
                    place.get("region", ""), place.get("data_classes", []), **place.get("timeouts", {}),
                )
                for place in fields["deployments"]
            ]  # fmt: skip
            standing = set_deployments(actor=self.actor, model=row, deployments=places)
            for deployment, place in zip(standing, fields["deployments"], strict=True):
                for price in place.get("price", []):
                    self._price(row, price, deployment)

    def _routes(self, wanted: Wanted) -> None:
        for slug, model in wanted.models.items():
            if "route" in model and slug in self.model_ids:
                with self._at(f"models.{slug}.route"):
                    set_route(actor=self.actor, model=Model.objects.get(slug=slug), body=model["route"])
        for name, to in wanted.aliases.items():
            with self._at(f"aliases.{name}"):
                if to and to not in self.model_ids:
                    raise ValidationError(f'the model "{to}" is refused above')
                self._alias(name, Model.objects.get(pk=self.model_ids[to]) if to else None)

    def _alias(self, name: str, model: Model | None) -> None:
        alias = Alias.objects.filter(slug=name).first()
        if alias is None and model is not None:
            add_alias(actor=self.actor, slug=name, model=model)
        elif alias is not None and model is not None:
            repoint_alias(actor=self.actor, alias=alias, model=model)
        elif alias is not None:
            remove_alias(actor=self.actor, alias=alias)

    def _price(self, model: Model, price: WantedPrice, deployment: Deployment | None = None) -> None:
        """Without a moment: from now on, unless these rates are in force already."""
        rates: dict[str, Any] = {
            "input": price.get("input", 0), "output": price.get("output", 0),
            "cached_input": price.get("cached_input"), "cache_write": price.get("cache_write"),
            "request": price.get("request", 0), "free": price.get("free", False),
            "units": price.get("units", {}), "long": price.get("long", {}),
            "batch_percent": price.get("batch_percent", 50),
        }  # fmt: skip
        moment = price.get("effective_from")
        if moment is None:
            at = deployment.pk if deployment else ""
            now = Price.objects.filter(model=model).in_force(timezone.now(), at).first()
            if now and all(getattr(now, name) == value for name, value in rates.items()):
                return
        source = price.get("source", "")
        set_price(actor=self.actor, model=model, effective_from=moment, source=source, deployment=deployment, **rates)

    def _person(self, email: str, fields: WantedPerson) -> None:
        person = invite_person(actor=self.actor, email=email, name=fields.get("name", ""))
        if "roles" in fields:
            set_roles(actor=self.actor, person=person, roles=set(fields["roles"]), source=CONFIG)
        if "quotas" in fields:
            self._quotas("user", person.pk, fields["quotas"], f"people.{email}")

    def _team(self, slug: str, fields: WantedTeam) -> None:
        row = Team.objects.filter(slug=slug).first()
        if row is None:
            code = fields.get("cost_centre", "")
            row = create_team(actor=self.actor, slug=slug, name=fields.get("name", slug), cost_centre_code=code)
        row = change_team(
            actor=self.actor, team=row, name=fields.get("name"), cost_centre_code=fields.get("cost_centre"),
            status=fields.get("status"),
        )  # fmt: skip
        if "leads" in fields:
            self._members(row, fields["leads"], Membership.Role.LEAD, keep=fields.get("members", []))
        if "members" in fields:
            self._members(row, fields["members"], Membership.Role.MEMBER, keep=fields.get("leads", []))
        if "models" in fields:
            set_team_models(actor=self.actor, team=row, models=Model.objects.filter(slug__in=fields["models"]))
        for name, application in fields.get("applications", {}).items():
            self._application(row, name, application)
        if "quotas" in fields:
            self._quotas("team", row.pk, fields["quotas"], f"teams.{slug}")

    def _application(self, team: Team, slug: str, fields: WantedApplication) -> None:
        """Make it where it is not there. One that is not mentioned stays: its keys and spend are its own."""
        row = Application.objects.filter(team=team, slug=slug).first()
        if row is None:
            name = fields.get("name", slug)
            row = create_application(actor=self.actor, team=team, slug=slug, name=name, owner=None)
        if "data_class" in fields:
            set_data_floor(actor=self.actor, application=row, data_class=fields["data_class"])
        if "quotas" in fields:
            self._quotas("application", row.pk, fields["quotas"], f"teams.{team.slug}.applications.{slug}")

    def _members(self, team: Team, emails: list[str], role: str, *, keep: list[str]) -> None:
        """Add who is listed; take out who was listed before and is not any more (who came otherwise stays)."""
        for email in emails:
            person = invite_person(actor=self.actor, email=email)
            set_member(actor=self.actor, team=team, person=person, role=role, source=CONFIG)
        listed = {*emails, *keep}
        for person in User.objects.filter(memberships__team=team, memberships__role=role, memberships__source=CONFIG):
            if person.email.lower() not in listed:
                remove_member(actor=self.actor, team=team, person=person)

    def _quotas(self, scope_kind: str, scope_id: str, quotas: list[WantedQuota], path: str) -> None:
        """Make `quotas` the whole list of limits of this scope."""
        ids = self.model_ids | {"": ""}
        listed = {(quota["metric"], quota["window"], ids.get(quota["model"])) for quota in quotas}
        for standing in Quota.objects.filter(scope_kind=scope_kind, scope_id=scope_id):
            if (standing.metric, standing.window, standing.model_id) not in listed:
                remove_quota(actor=self.actor, quota=standing)
        for n, quota in enumerate(quotas):
            with self._at(f"{path}.quotas[{n}]"):
                set_quota(
                    actor=self.actor, scope_kind=scope_kind, scope_id=scope_id, metric=quota["metric"],
                    window=quota["window"], capacity=quota["capacity"], model_id=ids.get(quota["model"], ""),
                    step_down_model_id=ids.get(quota["step_down"], ""), notify_percent=quota["notify"],
                )  # fmt: skip
