"""How an action's refusal comes back on the form that asked for it."""

from django.forms import BaseForm

from portal.keys.refusal import Refused


def show_refusal(form: BaseForm, refused: Refused) -> None:
    """Put the words of `refused` on the field at fault, else above the form."""
    fields = {"limits": "", "expires": "lifetime" if "lifetime" in form.fields else "expires"}
    field = fields.get(refused.field, refused.field)
    form.add_error(field if field in form.fields else None, str(refused))
