"""Tags for forms: error summary, field, all fields."""

from typing import Any

from django import forms, template
from django.forms import BaseForm, BoundField
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

register = template.Library()

GROUPS = (forms.RadioSelect, forms.CheckboxSelectMultiple)


def kind_of(field: BoundField) -> str:
    """How a field is laid out: `check`, `group`, `select` or `input`."""
    widget = field.field.widget
    if isinstance(widget, GROUPS):
        return "group"
    if isinstance(widget, forms.CheckboxInput):
        return "check"
    return "select" if isinstance(widget, forms.Select) else "input"


CLASSES = {"check": "form-check-input", "group": "form-check-input", "select": "form-select", "input": "form-control"}


def described_by(field: BoundField) -> str:
    """The ids of the hint and the error, in the order in which they should be heard."""
    ids = [f"{field.auto_id}_hint"] if field.help_text else []
    if field.errors:
        ids.append(f"{field.auto_id}_error")
    return " ".join(ids)


@register.simple_tag
def field(
    field: BoundField, prefix: str = "", suffix: str = "", label: str = "", hide_label: bool = False
) -> SafeString:
    """A form field with its label, hint and error tied together."""
    if field.is_hidden:
        return SafeString(str(field))
    kind = kind_of(field)
    attrs = field.field.widget.attrs
    wanted = [CLASSES[kind], "is-invalid"] if field.errors else [CLASSES[kind]]
    given = str(attrs.get("class", "")).split()
    attrs["class"] = " ".join([*given, *(name for name in wanted if name not in given)])
    described = described_by(field)
    if described:
        attrs["aria-describedby"] = described
    return render_to_string(
        "components/field.html",
        {
            "field": field,
            "kind": kind,
            "prefix": prefix,
            "suffix": suffix,
            "label": label or field.label,
            "hide_label": hide_label,
            "described": described,
        },
    )


@register.simple_tag
def fields(form: BaseForm) -> SafeString:
    """Every field of a form, in its order, hidden ones included."""
    return SafeString("".join(field(form[name]) for name in form.fields))


@register.simple_tag
def error_summary(form: BaseForm) -> SafeString:
    """What is wrong with a form, with links to the fields; nothing when nothing is."""
    if not form.is_bound or not form.errors:
        return SafeString("")
    wrong: list[dict[str, Any]] = [
        {"id": form[name].id_for_label, "label": form[name].label, "errors": form[name].errors}
        for name in form.fields
        if form[name].errors
    ]
    return render_to_string("components/error_summary.html", {"general": form.non_field_errors(), "wrong": wrong})
