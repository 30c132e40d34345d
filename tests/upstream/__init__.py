"""A fake provider on a real socket: it records what it was sent, journals what it served, and misbehaves on request.

In a test: `with FakeUpstream() as upstream:` and `upstream.script(Plan(status=429), …)`, or a marker in the prompt
such as `fake:cut=3`. As a process that outlives a killed gateway: `python -m tests.upstream --port N --journal FILE`.
"""

from tests.upstream.ledger import Ledger, Received, Served
from tests.upstream.plan import Plan
from tests.upstream.server import FakeUpstream

__all__ = ["FakeUpstream", "Ledger", "Plan", "Received", "Served"]
