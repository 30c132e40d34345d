"""Connect the well-known providers whose key is in the environment."""

import os
from urllib.parse import urlsplit

from catalog.actions.credentials import set_credential
from catalog.actions.deployments import Place, set_deployments
from catalog.actions.providers import create_provider
from catalog.addresses import is_private
from catalog.importers.packaged import PackagedProvider, models, providers
from catalog.models import Model, Provider
from portal.people.audit import Actor


def connect_from_environment(*, actor: Actor) -> dict[str, list[Model]]:
    """Add each packaged provider whose key variable is set and which is not there yet, and deploy its models at it.

    Returns the models by the slug of each provider added. The key itself stays in the environment. A provider that is
    there is left as it is, so that a second run changes nothing.
    """
    added: dict[str, list[Model]] = {}
    standing = set(Provider.objects.values_list("slug", flat=True))
    for packaged in providers().values():
        if packaged.slug not in standing and packaged.connects_itself and os.environ.get(packaged.key, "").strip():
            added[packaged.slug] = _connect(packaged, actor)
    return added


def _connect(packaged: PackagedProvider, actor: Actor) -> list[Model]:
    address = os.environ.get(packaged.key.removesuffix("_API_KEY") + "_BASE_URL", "").strip() or packaged.base_url
    provider = create_provider(
        actor=actor, slug=packaged.slug, name=packaged.name, base_url=address, dialect=packaged.dialect,
        internal=is_private(urlsplit(address).hostname or ""),
    )  # fmt: skip
    set_credential(actor=actor, provider=provider, env=packaged.key)
    deployed: list[Model] = []
    for served in models():
        model = Model.objects.filter(slug=served.slug).first() if served.at == packaged.slug else None
        if model and not model.deployments.exists():
            set_deployments(actor=actor, model=model, deployments=[Place(provider, served.upstream)])
            deployed.append(model)
    return deployed
