"""The ways in which an upstream call fails, as people read them."""

from gateway.errors import UpstreamError
from gateway.snapshot import DeploymentPolicy


def unreachable(deployment: DeploymentPolicy) -> UpstreamError:
    """Return the error of a provider that cannot have seen the request."""
    return UpstreamError(
        f"The provider {deployment.provider} could not be reached, so this call was not made and costs nothing. "
        "Try again; tell your platform team if this lasts.",
        code="upstream_unreachable",
        sent=False,
    )


def connect_timeout(deployment: DeploymentPolicy) -> UpstreamError:
    """Return the error of a provider that did not take a connection in time, and so cannot have seen the request."""
    return UpstreamError(
        f"The provider {deployment.provider} did not take a connection within {deployment.connect_timeout_s:g} s, so this "
        "call was not made and costs nothing. Try again; tell your platform team if this lasts.",
        code="upstream_connect_timeout",
        status=504,
        sent=False,
    )


def busy(deployment: DeploymentPolicy) -> UpstreamError:
    """Return the error of a call for which no connection became free in time."""
    return UpstreamError(
        f"All {deployment.max_connections} connections to the provider {deployment.provider} are in use, so this call "
        "was not made and costs nothing. Try again in a few seconds; tell your platform team if this lasts.",
        code="upstream_unreachable",
        sent=False,
    )


def private(deployment: DeploymentPolicy) -> UpstreamError:
    """Return the error of a provider whose name leads into a private network."""
    error = UpstreamError(
        f"The provider {deployment.provider} has an address in a private network and is not marked as internal, so it "
        "is not called. A platform administrator can correct that in the catalogue.",
        code="upstream_unreachable",
        sent=False,
    )
    error.retry = False
    return error


def unanswered(provider: str) -> UpstreamError:
    """Return the error of a connection that ended before the answer began."""
    return UpstreamError(f"The provider {provider} closed the connection without an answer. Try again.")


def broken_off(provider: str) -> UpstreamError:
    """Return the error of an answer that ended too early, or that does not keep to HTTP."""
    return UpstreamError(f"The provider {provider} broke off its answer. Try again.")


def unknown_encoding(provider: str) -> UpstreamError:
    """Return the error of an answer that is compressed in a way we did not ask for and do not know."""
    return UpstreamError(f"The provider {provider} answered in an encoding nobody asked for.")


def undecodable(provider: str) -> UpstreamError:
    """Return the error of an answer whose compression is damaged."""
    return UpstreamError(f"The provider {provider} sent bytes that do not unpack.")
