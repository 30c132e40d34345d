"""Azure OpenAI: OpenAI's formats at addresses of its own. Source: "Azure OpenAI in Foundry Models REST API reference"."""

from urllib.parse import quote

from gateway.snapshot import DeploymentPolicy

DEFAULTS = {"api_version": "v1"}
UNDATED = frozenset({"v1", "preview"})


def path_of(deployment: DeploymentPolicy, operation: str) -> str:
    """Return the path of an operation such as /chat/completions, below the resource's endpoint.

    The option `api_version` is "v1" or "preview" for the API that names its model in the body, else a date, whose API has
    the name of the deployment in its path. The endpoint may be given with /openai or /openai/v1 at its end.
    """
    version, base = _version(deployment), deployment.base_url
    if version in UNDATED:
        lead = "" if base.endswith("/openai/v1") else "/v1" if base.endswith("/openai") else "/openai/v1"
        return lead + operation + ("?api-version=preview" if version == "preview" else "")
    lead = "" if base.endswith("/openai") else "/openai"
    name = quote(deployment.upstream_model, safe="")
    return f"{lead}/deployments/{name}{operation}?api-version={quote(version, safe='')}"


def realtime_path(deployment: DeploymentPolicy) -> str:
    """Return the path of a realtime session: `model` names the deployment, or `deployment` does in a dated API."""
    version, base = _version(deployment), deployment.base_url
    name = quote(deployment.upstream_model, safe="")
    if version in UNDATED:
        return path_of(deployment, "/realtime").partition("?")[0] + f"?model={name}"
    lead = "" if base.endswith("/openai") else "/openai"
    return f"{lead}/realtime?api-version={quote(version, safe='')}&deployment={name}"


def undated(deployment: DeploymentPolicy) -> bool:
    """Say whether a deployment is called by the API that names its model in the body: the one that has Responses."""
    return _version(deployment) in UNDATED


def rerank_path(deployment: DeploymentPolicy) -> str:
    """Return where Cohere's models rerank, below the resource's endpoint: they speak Cohere's API there.

    Source: "Cohere Rerank models", https://learn.microsoft.com/azure/ai-foundry/how-to/deploy-models-cohere-rerank
    """
    return "/providers/cohere/v2/rerank"


def _version(deployment: DeploymentPolicy) -> str:
    return deployment.options.get("api_version") or DEFAULTS["api_version"]
