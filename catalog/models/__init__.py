"""Tables of the catalog."""

from catalog.models.access import ModelGrant, TeamModel
from catalog.models.models import Model
from catalog.models.prices import Price
from catalog.models.providers import Credential, Deployment, FormerCredential, Provider
from catalog.models.routes import Alias, Route

__all__ = [
    "Alias", "Credential", "Deployment", "FormerCredential", "Model", "ModelGrant", "Price", "Provider", "Route",
    "TeamModel",
]  # fmt: skip
