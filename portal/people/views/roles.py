"""The table of roles and what each may do, as the code has it."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from portal.people.access import current_viewer, requires
from portal.people.permissions import EVERY_PERMISSION, PERMISSION_WORDS, PERMISSIONS, ROLE_WORDS, SIGNED_IN, Role


@requires(SIGNED_IN)
@require_safe
def role_table(request: HttpRequest) -> HttpResponse:
    rows = [
        {
            "name": name,
            "words": PERMISSION_WORDS.get(name, ""),
            "cells": [(ROLE_WORDS[role][0], name in PERMISSIONS[role]) for role in Role],
        }
        for name in sorted(EVERY_PERMISSION)
    ]
    mine = current_viewer(request).roles
    roles = [{"name": ROLE_WORDS[role][0], "mine": role in mine} for role in Role]
    return render(request, "people/role_table.html", {"rows": rows, "roles": roles})
