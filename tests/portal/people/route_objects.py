"""What stands behind the names in addresses: for each one, how a test makes the object of a given team.

Whoever adds a route with a new name in it adds one line to OBJECTS. `owned` says that the object belongs to a team or
person, so that strangers must not find it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.utils import timezone

from billing.models import QuotaExtra, UsageEvent
from portal.keys.models import Notice
from portal.people.actions.stops import stop_calls
from portal.people.models import Team, User
from tests.factories.billing import QuotaFactory, UsageEventFactory
from tests.factories.catalog import AliasFactory, ProviderFactory, ServedModelFactory
from tests.factories.people import (
    SYSTEM,
    ApplicationFactory,
    AuditEventFactory,
    MembershipFactory,
    TeamFactory,
    UserFactory,
    acting,
)

MARK = "Ultramarine"  # in every name that belongs to the team; a stranger's page must not hold it


@dataclass
class World:
    """A team with a member, and whatever its routes ask for (made once)."""

    team: Team = field(default_factory=lambda: TeamFactory(name=f"{MARK} team", slug=f"{MARK.lower()}-team"))
    member: User = field(
        default_factory=lambda: UserFactory(name=f"{MARK} member", email=f"{MARK.lower()}@example.com")
    )
    made: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        MembershipFactory(team=self.team, user=self.member)

    def value(self, name: str, route: str) -> Any:
        """Return what stands in the address for `name`."""
        make = OBJECTS.get(f"{route}:{name}") or OBJECTS.get(name)
        if make is None:
            raise LookupError(f'no object for "{name}" of {route}: add a line to OBJECTS in {__file__}')
        key = f"{route}:{name}" if f"{route}:{name}" in OBJECTS else name
        if key not in self.made:
            self.made[key] = make.make(self)
        return self.made[key]


@dataclass(frozen=True)
class Object:
    make: Callable[[World], Any]
    owned: bool = True


def a_key(world: World) -> str:
    from portal.keys.actions.keys import mint_key

    in_a_week = timezone.now() + timedelta(days=7)
    key, _ = mint_key(
        actor=SYSTEM, owner=world.member, team=world.team, name=f"{MARK} key", models=None, expires_at=in_a_week
    )
    return key.pk


def a_request(world: World) -> str:
    from portal.keys.actions.requests import ask

    model = ServedModelFactory()
    return ask(
        actor=acting(world.member), kind="model", team=world.team, model=model, reason=f"{MARK} reason",
        until=timezone.now() + timedelta(days=3),
    ).pk  # fmt: skip


def a_notice(world: World) -> str:
    return Notice.objects.create(user=world.member, topic="test", words=f"{MARK} words").pk


def an_extra(world: World) -> str:
    in_a_week = timezone.now() + timedelta(days=7)
    return QuotaExtra.objects.create(quota_id=world.value("quota_id", ""), amount=10**9, until=in_a_week).pk


def a_stop(world: World) -> str:
    return stop_calls(
        actor=SYSTEM, kind="team", entity_id=world.team.pk, label=f"{MARK} team", reason="r", team_id=world.team.pk
    ).pk


def a_usage_event(world: World) -> UsageEvent:
    event: UsageEvent = UsageEventFactory(
        team_id=world.team.pk, user_id=world.member.pk, key_id=world.value("key_id", ""), client=f"{MARK} client"
    )
    return event


# By the name in the address, or by "route:name" where one name means two things.
OBJECTS: dict[str, Object] = {
    "team_id": Object(lambda world: world.team.pk),
    "user_id": Object(lambda world: world.member.pk),
    "event_id": Object(lambda _: AuditEventFactory(target_label=f"{MARK} target").pk),
    "provider_id": Object(lambda _: ProviderFactory().pk, owned=False),
    "openid_connect_login:provider_id": Object(lambda _: "company", owned=False),
    "openid_connect_callback:provider_id": Object(lambda _: "company", owned=False),
    "key_id": Object(a_key),
    "request_id": Object(a_request),
    "billing-usage-detail:request_id": Object(lambda world: a_usage_event(world).request_id),
    "slug": Object(lambda _: ServedModelFactory().slug, owned=False),
    "model_id": Object(lambda _: ServedModelFactory().pk, owned=False),
    "alias_id": Object(lambda _: AliasFactory().pk, owned=False),
    "application_id": Object(lambda world: ApplicationFactory(team=world.team, name=f"{MARK} application").pk),
    "notice_id": Object(a_notice),
    "extra_id": Object(an_extra),
    "rest": Object(lambda _: "v1/no/such/thing", owned=False),
    "quota_id": Object(lambda world: QuotaFactory(scope_id=world.team.pk).pk),
    "stop_id": Object(a_stop),
}
