"""Where allauth asks what to do with a sign-in."""

from allauth.account.adapter import DefaultAccountAdapter
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter


class LocalSignIn(DefaultAccountAdapter):  # type: ignore[misc]  # allauth is untyped
    """Password sign-in of an embedded installation: nobody signs up by themselves."""


class CompanySignIn(DefaultSocialAccountAdapter):  # type: ignore[misc]  # allauth is untyped
    """The company's identity provider."""
