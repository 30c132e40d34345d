"""Monthly partitions of usage events on PostgreSQL; elsewhere a plain table."""

from datetime import date
from typing import Any

from django.db import connection
from django.db.migrations.operations import CreateModel

TABLE = "billing_usageevent"


class CreatePartitionedModel(CreateModel):
    """`CreateModel` that on PostgreSQL adds PARTITION BY RANGE (month) and a partition for every other month."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        if schema_editor.connection.vendor != "postgresql":
            super().database_forwards(app_label, schema_editor, from_state, to_state)
            return
        model = to_state.apps.get_model(app_label, self.name)
        sql, params = schema_editor.table_sql(model)
        schema_editor.execute(f"{sql} PARTITION BY RANGE (month)", params or None)
        schema_editor.deferred_sql.extend(schema_editor._model_indexes_sql(model))
        schema_editor.execute(f"CREATE TABLE {TABLE}_other PARTITION OF {TABLE} DEFAULT")


def month_after(month: date) -> date:
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def prepare(today: date, months: int = 3) -> list[str]:
    """Make the partitions of this month and the next ones; returns the names of those that were missing.

    A month whose rows already landed in the default partition is left there: reads find them all the same.
    """
    if connection.vendor != "postgresql":
        return []
    made, month = [], today.replace(day=1)
    with connection.cursor() as cursor:
        for _ in range(months):
            name, end = f"{TABLE}_{month:%Y_%m}", month_after(month)
            cursor.execute("SELECT to_regclass(%s) IS NULL", [name])
            missing = cursor.fetchone()[0]
            cursor.execute(f"SELECT NOT EXISTS (SELECT 1 FROM {TABLE}_other WHERE month = %s)", [month])  # noqa: S608  # a constant name
            if missing and cursor.fetchone()[0]:
                cursor.execute(f"CREATE TABLE {name} PARTITION OF {TABLE} FOR VALUES FROM ('{month}') TO ('{end}')")
                made.append(name)
            month = end
    return made
