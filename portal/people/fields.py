"""Model fields that every app uses."""

from functools import partial
from typing import Any

from django.db import models

from gateway.ids import new_id


class OpaqueIdField(models.CharField):  # type: ignore[type-arg]  # the stubs' parameters do not exist at run time
    """A primary key such as `team_0BqzK3…`: opaque, sorts by time of creation, says what it names."""

    def __init__(self, prefix: str = "", **options: Any) -> None:
        self.prefix = prefix
        options.setdefault("max_length", 40)
        options.setdefault("primary_key", True)
        options.setdefault("editable", False)
        options.setdefault("default", partial(new_id, prefix))
        super().__init__(**options)

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        kwargs.pop("default", None)
        kwargs["prefix"] = self.prefix
        return name, path, args, kwargs
