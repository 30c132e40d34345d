"""Tables of the catalog."""

from catalog.models.access import ModelGrant, TeamModel
from catalog.models.models import Model
from catalog.models.prices import Price
from catalog.models.providers import Credential, Deployment, Provider

__all__ = ["Credential", "Deployment", "Model", "ModelGrant", "Price", "Provider", "TeamModel"]
