"""Components, by what arrives in the page."""

import datetime

import pytest
from django import forms
from django.core.paginator import Paginator
from django.template import Context, Template
from django.test import RequestFactory
from django.utils import timezone

from portal.home.components import icons


def page(source: str, query: str = "", **context: object) -> str:
    request = RequestFactory().get(f"/list/{query}")
    return Template("{% load ui %}" + source).render(Context({"request": request, **context}))


class KeyForm(forms.Form):
    name = forms.CharField(label="Name", help_text="So that you recognise it.")
    limit = forms.DecimalField(label="Limit", required=False)
    models = forms.MultipleChoiceField(choices=[("a", "A"), ("b", "B")], widget=forms.CheckboxSelectMultiple)
    agreed = forms.BooleanField(label="I agree")


def test_a_field_ties_label_hint_and_error_together() -> None:
    html = page("{% field form.name %}", form=KeyForm({"name": ""}))
    assert 'for="id_name"' in html
    assert 'aria-describedby="id_name_hint id_name_error"' in html
    assert 'id="id_name_hint"' in html
    assert 'id="id_name_error"' in html
    assert 'aria-invalid="true"' in html


def test_optional_fields_say_so_and_required_ones_do_not() -> None:
    assert "optional" in page("{% field form.limit %}", form=KeyForm())
    assert "optional" not in page("{% field form.name %}", form=KeyForm())


def test_choices_are_a_fieldset_with_a_legend() -> None:
    html = page("{% field form.models %}", form=KeyForm())
    assert "<fieldset" in html
    assert "<legend" in html
    assert html.count('type="checkbox"') == 2


def test_error_summary_links_to_the_fields_and_is_silent_otherwise() -> None:
    assert page("{% error_summary form %}", form=KeyForm()) == ""
    html = page("{% error_summary form %}", form=KeyForm({}))
    assert 'href="#id_name"' in html
    assert 'role="alert"' in html


def test_words_of_people_are_escaped() -> None:
    evil = "<img src=x>"
    for source in (
        "{% page_header words %}{% endpage_header %}", "{% badge words %}", "{% status words %}", "{% code words %}",
        "{% card words %}{% endcard %}", '{% empty "keys" words words %}{% endempty %}', "{% stat words words %}",
        "{% secret words %}", "{% crumbs words '/' words %}", "{% hint words %}", "{% meter 1 2 words %}",
        "{% callout 'warn' words %}{% endcallout %}", "{% chart 't' words %}",
    ):  # fmt: skip
        html = page(source, words=evil)
        assert evil not in html, source
        assert "&lt;img" in html, source


def test_sort_header_turns_and_keeps_filters() -> None:
    html = page('{% sort_header "Name" "name" %}', "?q=x&page=3")
    assert 'href="?q=x&amp;sort=name"' in html
    assert "aria-sort" not in html
    html = page('{% sort_header "Name" "name" %}', "?q=x&sort=name")
    assert 'href="?q=x&amp;sort=-name"' in html
    assert 'aria-sort="ascending"' in html


def test_pagination_keeps_filters_and_marks_this_page() -> None:
    pages = Paginator(range(100), 10)
    html = page("{% pagination page %}", "?q=x", page=pages.page(2))
    assert 'href="?q=x&amp;page=3"' in html
    assert 'aria-current="page">2<' in html
    assert "11–20 of 100" in html
    assert page("{% pagination page %}", page=Paginator(range(5), 10).page(1)).strip() == ""


def test_snippet_tabs_need_no_script() -> None:
    html = page(
        "{% snippet_tabs s %}", s=[{"key": "a", "title": "curl", "code": "x"}, {"key": "b", "title": "JS", "code": "y"}]
    )
    assert html.count('type="radio"') == 2
    assert html.count(" checked") == 1


def test_live_panel_asks_until_it_has_seen() -> None:
    source = '{% live_panel url="/panel/" seen=seen title="Waiting" seen_title="Here" %}'
    waiting, seen = page(source, seen=False), page(source, seen=True)
    assert 'hx-get="/panel/"' in waiting
    assert 'href="/list/"' in waiting, "without JavaScript there is a link"
    assert "hx-get" not in seen
    assert "Here" in seen


def test_meter_says_it_in_words_and_turns() -> None:
    assert 'aria-label="Budget: 30 % used"' in page('{% meter 30 100 "Budget" %}')
    assert "at-tone-warn" in page('{% meter 80 100 "Budget" %}')
    assert "at-tone-bad" in page('{% meter 100 100 "Budget" %}')
    assert "no limit" in page('{% meter 5 none "Budget" %}', none=None)


@pytest.mark.parametrize(
    ("nano", "words"),
    [
        (0, "$0.00"), (1, "$0.000000001"), (194_400, "$0.00019"), (9_999_999, "$0.01"), (10_000_000, "$0.01"),
        (1_234_567_890_000, "$1,234.57"), (-2_500_000_000, "-$2.50"), (None, "–"),
    ],
)  # fmt: skip
def test_money(nano: int | None, words: str) -> None:
    assert page("{{ nano|usd }}", nano=nano) == words


@pytest.mark.parametrize(
    ("count", "words"), [(0, "0"), (999, "999"), (1000, "1k"), (12_400, "12.4k"), (999_999, "1M"), (3_140_000, "3.1M")]
)
def test_counts(count: int, words: str) -> None:
    assert page("{{ count|compact }}", count=count) == words


def test_moments_are_utc_and_exact_in_the_element() -> None:
    at = datetime.datetime(2026, 11, 3, 23, 5, tzinfo=datetime.timezone(datetime.timedelta(hours=2)))
    assert page("{{ at|utc }}", at=at) == (
        '<time datetime="2026-11-03T21:05:00+00:00" title="2026-11-03T21:05:00+00:00">3 Nov 2026, 21:05</time>'
    )
    assert "2\xa0hours ago" in page("{{ at|ago }}", at=timezone.now() - datetime.timedelta(hours=2, minutes=5))
    assert page("{{ at|ago }}", at=None) == "never"


def test_a_missing_icon_breaks_no_page() -> None:
    assert "<rect" in page('{% icon "no-such-icon" %}')
    assert page('{% icon "key" %}').count("<path") >= 1
    assert 'aria-label="Key"' in page('{% icon "key" label="Key" %}')


@pytest.mark.parametrize("tone", ["good", "warn", "bad", "info", "unknown"])
def test_every_callout_has_its_icon(tone: str) -> None:
    html = page("{% callout tone %}words{% endcallout %}", tone=tone)
    assert "<path" in html
    assert icons.MISSING not in html
