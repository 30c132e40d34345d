"""What narrows the audit trail."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django import forms

from portal.people.models import AuditEvent, Team
from portal.people.models.audit import AuditQuerySet


class AuditFilter(forms.Form):
    """Filters of the audit trail, from the address."""

    q = forms.CharField(required=False, max_length=200)
    actor = forms.CharField(required=False, max_length=200, label="Who", help_text="Name, e-mail or id")
    event = forms.CharField(required=False, max_length=80, label="What", help_text="Such as key:mint or sso")
    target = forms.CharField(required=False, max_length=200, label="To what", help_text="Kind, name or id")
    team = forms.ChoiceField(required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["team"]
        if isinstance(field, forms.ChoiceField):
            field.choices = [("", "Any"), *Team.objects.order_by("name").values_list("pk", "name")]
        self.start, self.end = read_day(self.data.get("from")), read_day(self.data.get("to"))

    def narrowed(self, rows: AuditQuerySet) -> AuditQuerySet:
        """Return `rows` with every filter applied; days are whole UTC days, the last one included."""
        self.is_valid()
        given = self.cleaned_data
        start = datetime.combine(self.start, time.min, UTC) if self.start else None
        end = datetime.combine(self.end + timedelta(days=1), time.min, UTC) if self.end else None
        return (
            rows.between(start, end)
            .matching(given.get("q", ""))
            .by(given.get("actor", ""))
            .named(given.get("event", ""))
            .about(given.get("target", ""))
            .in_team(given.get("team", ""))
        )

    @property
    def events(self) -> list[str]:
        """Return the events there are, for the list that the field offers."""
        return sorted(
            {
                event.partition(":")[2]
                for event in AuditEvent.objects.order_by().values_list("event", flat=True).distinct()
            }
        )


def read_day(text: object) -> date | None:
    """Read `2026-11-21`; anything else, and a year that has no next day to count with, is no limit."""
    try:
        day = date.fromisoformat(str(text))
    except ValueError:
        return None
    return day if day.year < date.max.year else None
