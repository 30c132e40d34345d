"""What the terminal says when the demo is ready: who one can be, and a call that works as pasted."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.utils import timezone

from portal.demo.personas import PERSONAS
from portal.keys.actions.keys import mint_key
from portal.keys.models import Key
from portal.people.audit import Actor
from portal.people.models import User

KEY_NAME = "demo curl line"
OWNER = "omar@example.com"  # a colleague: the five start with nothing, as new people do


def key_file() -> Path:
    return Path(settings.DATA_DIR) / "demo-key"


def ensure_key() -> None:
    """Mint a colleague's key for the `curl` line, once; its secret lies beside the database (mode 0600)."""
    owner = User.objects.with_email(OWNER).get()
    if Key.objects.filter(owner=owner, name=KEY_NAME).exists():
        return
    membership = owner.memberships.select_related("team").order_by("id").first()
    if membership is None:
        return
    expires = timezone.now() + timedelta(days=settings.KEY_MAX_DAYS)
    _, secret = mint_key(
        actor=Actor("demo"), owner=owner, team=membership.team, name=KEY_NAME, models=None, expires_at=expires
    )
    key_file().touch(mode=0o600)
    key_file().write_text(secret)


def lines() -> Iterator[str]:
    """Yield the lines, one by one."""
    yield "Sign in with one click as:"
    for persona in PERSONAS:
        yield f"  {persona.name:<15} {persona.title}"
    if not key_file().exists():
        return
    yield "\nA first call, as it stands (by Omar of the team Search; Lea and Finn see what it costs):"
    yield (
        f"  curl {settings.GATEWAY_URL}/v1/chat/completions -H \"Authorization: Bearer $(cat '{key_file()}')\" "
        "-H 'Content-Type: application/json' "
        """-d '{"model": "demo-chat", "messages": [{"role": "user", "content": "Hello, Atrium"}]}'"""
    )
    yield ""
