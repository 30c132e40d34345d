"""The tag library of every page: `{% load ui %}` brings all components of docs/design.md."""

from django import template

from portal.home.components import charts, code, figures, forms, layout, numbers, stops, tables

register = template.Library()
for part in (layout, figures, tables, forms, code, charts, numbers, stops):
    register.tags.update(part.register.tags)
    register.filters.update(part.register.filters)
