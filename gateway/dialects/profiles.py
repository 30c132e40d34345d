"""Finds the profile of a provider that speaks OpenAI's dialect: a row of the table; what is not listed has no quirks."""

from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import urlsplit

from gateway.dialects.profile import Profile
from gateway.dialects.profile_table import ROWS
from gateway.snapshot import DeploymentPolicy

DEFAULT = Profile("", "", rerank="/rerank")
BY_NAME: Mapping[str, Profile] = {row.name: row for row in ROWS}
_BY_HOST = {host: row for row in ROWS for host in row.hosts if not host.startswith(".")}
_BY_END = tuple((host, row) for row in ROWS for host in row.hosts if host.startswith("."))


def profile_of(deployment: DeploymentPolicy) -> Profile:
    """Return the profile that a provider's option names, else the one of the host it is served from.

    Azure may be reached under any name.
    """
    if deployment.dialect == "azure":
        return BY_NAME["azure"]
    named = BY_NAME.get(deployment.options.get("profile", "")) if deployment.options else None
    return named or _of_address(deployment.base_url)


@lru_cache(maxsize=4096)
def _of_address(base_url: str) -> Profile:
    host = urlsplit(base_url).hostname or ""
    return _BY_HOST.get(host) or next((profile for end, profile in _BY_END if host.endswith(end)), DEFAULT)
