"""Providers, models, deployments and prices."""

import factory

from catalog.models import Alias, Deployment, Model, Price, Provider, TeamModel
from tests.factories.people import TeamFactory


class ProviderFactory(factory.django.DjangoModelFactory):
    """An engine on this machine, without a credential."""

    class Meta:
        model = Provider

    slug = factory.Sequence(lambda n: f"provider-{n}")
    name = factory.Sequence(lambda n: f"Provider {n}")
    base_url = "http://127.0.0.1:9100/v1"
    region = "eu"
    internal = True


class ModelFactory(factory.django.DjangoModelFactory):
    """A model that chats; it has no deployment and no price yet (see `ServedModelFactory`)."""

    class Meta:
        model = Model
        skip_postgeneration_save = True

    slug = factory.Sequence(lambda n: f"model-{n}")
    display_name = factory.Sequence(lambda n: f"Model {n}")
    vendor = "Acme"
    capabilities = factory.LazyFunction(lambda: ["chat", "tools"])
    context_tokens = 128_000
    max_output_tokens = 4_096


class DeploymentFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Deployment

    model = factory.SubFactory(ModelFactory)
    provider = factory.SubFactory(ProviderFactory)
    upstream_model = "upstream-model"


class PriceFactory(factory.django.DjangoModelFactory):
    """0.15 USD in, 0.60 USD out, per 1M tokens, from now on."""

    class Meta:
        model = Price

    model = factory.SubFactory(ModelFactory)
    input = 150_000_000
    cached_input = 75_000_000
    output = 600_000_000


class ServedModelFactory(ModelFactory):
    """A model that can be called: deployed and priced."""

    deployment = factory.RelatedFactory(DeploymentFactory, factory_related_name="model")
    price = factory.RelatedFactory(PriceFactory, factory_related_name="model")


class TeamModelFactory(factory.django.DjangoModelFactory):
    """A team may use a model."""

    class Meta:
        model = TeamModel

    team = factory.SubFactory(TeamFactory)
    model = factory.SubFactory(ServedModelFactory)


class AliasFactory(factory.django.DjangoModelFactory):
    """A name that points to a model."""

    class Meta:
        model = Alias

    slug = factory.Sequence(lambda n: f"alias-{n}")
    model = factory.SubFactory(ModelFactory)
