"""Forms about aliases."""

from typing import Any

from django import forms

from catalog.models import Model


class AliasForm(forms.Form):
    """A name, only while it is new, and the model that it points to."""

    slug = forms.CharField(
        label="Name", max_length=128, help_text="Clients send it as the model, such as claude-sonnet."
    )
    model = forms.ModelChoiceField(
        Model.objects.none(),
        label="Points to",
        to_field_name="slug",
        help_text="Whoever may call that model may use the name.",
    )

    def __init__(self, *args: Any, new: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        models: Any = self.fields["model"]
        models.queryset = Model.objects.listed().order_by("slug")
        models.label_from_instance = lambda model: f"{model.display_name} ({model.slug})"
        if not new:
            del self.fields["slug"]
