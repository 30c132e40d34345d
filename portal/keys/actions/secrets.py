"""Drawing a secret: the one place that sees its text."""

from django.conf import settings

from gateway import keyformat
from portal.keys.models import Key, KeySecret

SHOWN = 12  # characters of a secret that may be shown: its type and eight more


def draw_secret(key: Key, status: str) -> tuple[KeySecret, str]:
    """Make a secret for `key` in `status`; returns its row and its text. Only the text's HMAC is kept."""
    text = keyformat.generate(key.kind)
    row = KeySecret.objects.create(
        key=key,
        digest=keyformat.digest(text, settings.KEY_PEPPER),
        pepper_id=settings.KEY_PEPPER_ID,
        prefix=text[:SHOWN],
        last4=text[-4:],
        status=status,
    )
    return row, text
