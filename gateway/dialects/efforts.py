"""How long to think: efforts in words against tokens of thought. One table for all dialects.

Vendors publish no such equivalence. The steps are those that clients of both kinds commonly use, from the least that
Anthropic takes (1,024) up; a budget between two steps reads as the higher one.
"""

from gateway.dialects.canonical import Effort

LEAST_BUDGET = 1_024  # Anthropic, "Extended thinking": budget_tokens must be at least this

BUDGETS: dict[Effort, int] = {
    "minimal": LEAST_BUDGET,
    "low": 4_096,
    "medium": 10_240,
    "high": 24_576,
    "xhigh": 32_768,
    "max": 64_000,
}


def effort_of(tokens: int) -> Effort:
    """Return the effort that stands for a budget of so many tokens of thought, which is above 0."""
    return next((effort for effort, budget in BUDGETS.items() if tokens <= budget), "max")


def effort_named(name: object) -> Effort | None:
    """Return an effort by its name, None where there is none of this name."""
    return next((effort for effort in BUDGETS if effort == name), None)
