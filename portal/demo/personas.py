"""The made-up people of the demo: five to sign in as with one click, and colleagues around them."""

from dataclasses import dataclass
from typing import Final

from django.db import transaction

from portal.people.actions.people import activate_person, invite_person, set_roles
from portal.people.audit import Actor
from portal.people.models import GlobalRole, User


@dataclass(frozen=True, slots=True)
class Persona:
    """Somebody to look around as. `roles` hold everywhere; who leads which team is told by the demo's teams."""

    key: str
    name: str
    title: str
    words: str
    icon: str
    roles: tuple[str, ...] = ()

    @property
    def email(self) -> str:
        return f"{self.key}@example.com"


PERSONAS: Final = (
    Persona("erin", "Erin Example", "Employee", "Find a model, mint a key, see my own usage.", "user"),
    Persona("lea", "Lea Lindqvist", "Team lead", "Decide on requests, see my team and what it spends.", "users"),
    Persona("finn", "Finn Fischer", "Finance", "Spend by team, model and person; budgets.", "coin", ("finance",)),
    Persona(
        "pia",
        "Pia Petrov",
        "Platform admin",
        "Providers, models, prices, people and teams.",
        "settings",
        ("platform_admin",),
    ),
    Persona("ada", "Ada Adeyemi", "Auditor", "Who did what, when, before and after.", "shield-check", ("auditor",)),
)
COLLEAGUES: Final = {
    "omar@example.com": "Omar Osei",
    "mina@example.com": "Mina Mori",
    "tomas@example.com": "Tomás Torres",
    "yuki@example.com": "Yuki Yamada",
    "nora@example.com": "Nora Novak",
    "paul@example.com": "Paul Pereira",
}


def make_people(actor: Actor) -> dict[str, User]:
    """Make whoever is missing, with their roles; returns everybody by e-mail. A second time nothing changes."""
    people: dict[str, User] = {}
    with transaction.atomic():
        names = {persona.email: persona.name for persona in PERSONAS} | COLLEAGUES
        for email, name in names.items():
            person = invite_person(actor=actor, email=email, name=name)
            if person.status == User.Status.INVITED:
                activate_person(actor=actor, person=person)
            people[email] = person
        for persona in PERSONAS:
            person = people[persona.email]
            if persona.roles and not GlobalRole.objects.filter(user=person).exists():
                set_roles(actor=actor, person=person, roles=persona.roles)
    return people


def persona_of(key: str) -> Persona | None:
    return next((persona for persona in PERSONAS if persona.key == key), None)
