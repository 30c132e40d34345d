"""Every mistake of a file is listed with its path, none of its secrets is repeated, and nothing is changed."""

import pytest

from catalog.models import Model, Provider
from portal.people.models import AuditEvent, Team, User
from tests.portal.config.example import EXAMPLE, mistakes_of

pytestmark = pytest.mark.django_db
SECRET = "sk-live-Zq7mT4vX9pLw2"

ONE_MISTAKE = [
    # form
    ("", "the file is empty"),
    ("- a\n- b", "a configuration file begins with: version: 1"),
    ("just text", "a configuration file begins with: version: 1"),
    ("version: 1\nteams: [", "column 1: this is not YAML"),
    ("version: 1\nteams: &a {}\n", "line 2: anchors and aliases"),
    ("a: &a [x]\nb: [*a, *a]", "line 1: anchors and aliases"),
    ("version: 1\nteams: !!python/object:os.system {}", "teams: tags (!) are not allowed"),
    ("version: 1\nversion: 1", "version: this key is there twice (again in line 2)"),
    ("version: 1\n---\nversion: 1", "line 2, column"),
    ("version: 1\nteams: " + "{a: " * 40 + "1" + "}" * 40, "nested too deeply"),
    ("version: 1\nteams: {? [a] : 1}", "a key must be text"),
    ("version: 1\x00", "this is not YAML"),
    # version and sections
    ("teams: {}", "version: this must be 1"),
    ("version: true", "version: this must be 1"),
    ('version: "1"', "version: this must be 1"),
    ("version: 1\nprovider: {}", "provider: unknown field; did you mean providers?"),
    ("version: 1\nteams: []", "teams: this must be a mapping"),
    ("version: 1\nteams: {a: [1]}", "teams.a: this must be a mapping"),
    # names
    ("version: 1\nteams: {404: {}}", "teams.404: write this key in quotes"),
    ("version: 1\nteams: {A b: {}}", "teams.A b: "),
    ("version: 1\nteams: {Search: {}}", "teams.Search: a team's short name is written in small letters"),
    ("version: 1\nmodels: {a b: {context_tokens: 1}}", "models.a b: a model's id"),
    ("version: 1\npeople: {nobody: {}}", 'people.nobody: "nobody" is no e-mail address'),
    # routes, aliases, options, time limits
    ("version: 1\nmodels: {a: {context_tokens: 5, route: {strategy: fate}}}", "models.a.route.strategy: "),
    ("version: 1\nmodels: {a: {context_tokens: 5, route: {retries: many}}}", "models.a.route.retries: "),
    ("version: 1\nmodels: {a: {context_tokens: 5, route: []}}", "models.a.route: "),
    ("version: 1\nmodels: {a: {context_tokens: 5, route: {rules: [{name: r}]}}}", "models.a.route.rules[0]: "),
    (
        "version: 1\nmodels: {a: {context_tokens: 5, route: {fallbacks: [{model: b, on: [error]}]}}}",
        'models.a.route.fallbacks[0].model: there is no model "b"',
    ),
    ("version: 1\naliases: {a b: c}", "aliases.a b: an alias holds"),
    ("version: 1\naliases: {a: nobody}", 'aliases.a: there is no model "nobody"'),
    ("version: 1\naliases: [a]", "aliases: this must be a mapping"),
    (
        "version: 1\nproviders: {a: {base_url: 'https://a.example.com', options: {moon: full}}}",
        "providers.a.options.moon: There is no such option",
    ),
    ("version: 1\nproviders: {a: {base_url: 'https://a.example.com', auth: magic}}", "providers.a.auth: "),
    ("version: 1\nproviders: {a: {base_url: 'https://a.example.com', dialect: klingon}}", "providers.a.dialect: "),
    # types
    ("version: 1\nteams: {a: {name: 5}}", "teams.a.name: write this in quotes"),
    ("version: 1\nteams: {a: {name: ''}}", "teams.a.name: this must not be empty"),
    ("version: 1\nteams: {a: {members: x@example.com}}", "teams.a.members: this must be a list"),
    ("version: 1\nteams: {a: {models: [null]}}", "teams.a.models[0]: this must be text"),
    ("version: 1\nteams: {a: {status: gone}}", 'teams.a.status: "gone" is not one of active, blocked'),
    ('version: 1\nmodels: {a: {context_tokens: "5"}}', "models.a.context_tokens: this must be a whole number"),
    ("version: 1\nmodels: {a: {context_tokens: 1.5}}", "models.a.context_tokens: this must be a whole number"),
    ("version: 1\nmodels: {a: {context_tokens: 0}}", "models.a.context_tokens: 0 is not between"),
    ("version: 1\nmodels: {a: {context_tokens: 5, retires_on: soon}}", "models.a.retires_on: this must be a date"),
    (
        "version: 1\nmodels: {a: {context_tokens: 5, capabilities: [chat, chat]}}",
        'models.a.capabilities[1]: "chat" is there twice',
    ),
    ("version: 1\nmodels: {a: {tier: sandbox}}", "models.a.context_tokens: missing"),
    (
        "version: 1\nproviders: {a: {base_url: 'https://a.example.com', internal: yes}}",
        "providers.a.internal: this must be true or false",
    ),
    ("version: 1\nproviders: {a: {}}", "providers.a.base_url: missing"),
    (
        "version: 1\nproviders: {a: {kind: demo, base_url: 'https://a.example.com'}}",
        "providers.a.base_url: the demo engine has no",
    ),
    (
        "version: 1\nproviders: {a: {base_url: 'https://u:p@example.com'}}",
        "providers.a.base_url: an address holds no user name",
    ),
    # lists of people and models
    (
        "version: 1\nteams: {a: {leads: [x@example.com, X@example.com]}}",
        'teams.a.leads[1]: "X@example.com" is there twice',
    ),
    (
        "version: 1\nteams: {a: {leads: [x@example.com], members: [X@example.com]}}",
        "teams.a.members: x@example.com is a lead already",
    ),
    ("version: 1\nteams: {a: {models: [nope]}}", 'teams.a.models[0]: there is no model "nope"'),
    (
        "version: 1\nmodels: {a: {context_tokens: 5, deployments: [{provider: b, model: c}]}}",
        'models.a.deployments[0].provider: there is no provider "b"',
    ),
    (
        "version: 1\nmodels: {a: {context_tokens: 5, deployments: [{model: c}]}}",
        "models.a.deployments[0]: provider missing",
    ),
    # money and limits
    *(
        (f"version: 1\nteams: {{a: {{quotas: [{quota}]}}}}", f"teams.a.quotas[0]{words}")
        for quota, words in (
            ("{metric: usd, window: month, limit: 0.1}", '.limit: write this amount in quotes ("0.1")'),
            ("{metric: usd, window: month, limit: 1e3}", '.limit: write this amount in quotes ("1e3")'),
            ("{metric: usd, window: month, limit: .inf}", ".limit: write this amount in quotes"),
            ('{metric: usd, window: month, limit: "-1"}', '.limit: "-1" is not between'),
            ('{metric: usd, window: month, limit: "NaN"}', '.limit: "NaN" is not between'),
            ('{metric: usd, window: month, limit: "1e99"}', '.limit: "1e99" is not between'),
            (
                '{metric: usd, window: month, limit: "0.0000000001"}',
                '.limit: "0.0000000001" has more than nine decimals',
            ),
            ('{metric: usd, window: month, limit: "$5"}', '.limit: "$5" is not an amount'),
            ("{metric: usd, window: month, limit: true}", ".limit: an amount must be"),
            ("{metric: usd, window: fortnight, limit: 5}", '.window: Money (USD) cannot be limited by "fortnight"'),
            (
                "{metric: concurrent, window: day, limit: 5}",
                '.window: Calls at once cannot be limited by "day"; use one of total',
            ),
            ("{metric: usd, window: day, limit: 5, model: m}", '.model: there is no model "m"'),
            ("{metric: usd, window: day, limit: 5, step_down: m}", '.step_down: there is no model "m"'),
            ("{metric: usd, window: day, limit: 5, notify: [101]}", ".notify[0]: 101 is not between 1 and 100"),
            ("{metric: usd, window: second, limit: 5, notify: [50]}", ".notify: A limit of calls at once"),
            ('{metric: requests, window: minute, limit: "600"}', ".limit: this must be a whole number"),
            ("{metric: requests, window: minute, limit: -1}", ".limit: -1 is not between"),
            ("{metric: euros, window: month, limit: 5}", '.metric: "euros" is not one of usd'),
            ("{metric: usd, limit: 5}", ": window missing"),
            ("5", ": this must be a mapping"),
        )
    ),
    (
        "version: 1\nteams: {a: {quotas: [{metric: usd, window: month, limit: 5}, {metric: usd, window: month, limit: 6}]}}",
        "teams.a.quotas[1]: there are two limits of usd per month",
    ),
    (
        "version: 1\nteams: {a: {applications: {b: {quotas: [{metric: usd, window: day, limit: 5, model: m}]}}}}",
        'teams.a.applications.b.quotas[0].model: there is no model "m"',
    ),
    (
        "version: 1\norganisation: {quotas: [{metric: usd, window: month, limit: 5, model: m}]}",
        "organisation.quotas[0].window: What everybody does with one model is the limit of that model",
    ),
    *(
        (f"version: 1\nmodels: {{a: {{context_tokens: 5, price: {price}}}}}", f"models.a.price{words}")
        for price, words in (
            ("{input: 0.15, output: 1}", ".input: write this amount in quotes"),
            ('{input: "0.15"}', ": output missing"),
            ("{}", ": input and output missing"),
            ("{input: 0, output: 0}", ": all rates are 0; say free: true"),
            ("{free: true, input: 1}", ": a free model has no rates"),
            ("[{input: 1, output: 1}]", "[0]: in a list, each price says its effective_from"),
            ("{input: 1, output: 1, effective_from: tomorrow}", ".effective_from: this must be a time"),
            ("5", ": this must be a list"),
            ('{input: 1, output: 1, units: {seconds: "1"}}', ".units.seconds: unknown field"),
            ("{units: {images: 0}}", ": all rates are 0"),
            ('{input: "1", output: "1", long: {above: 9, input: "2"}}', ".long: output missing"),
            ('{free: true, units: {images: "1"}}', ": a free model has no rates"),
        )
    ),
    # credentials
    *(
        (
            f"version: 1\nproviders: {{a: {{base_url: 'https://a.example.com', credential: {given}}}}}",
            f"providers.a.credential{words}",
        )
        for given, words in (
            (SECRET, ": this must be one of"),
            (f"[{SECRET}]", ": this must be one of"),
            ("{}", ": give one of env, file, value, sealed"),
            (f"{{value: {SECRET}, env: ACME_KEY}}", ": give one of env, file, value, sealed"),
            (f"{{vlaue: {SECRET}}}", ".vlaue: unknown field; did you mean value?"),
            ("{value: 123456789012}", ".value: write this in quotes"),
            (f"{{value: [{SECRET}]}}", ".value: this must be text"),
            (f'{{value: "{SECRET}\\n{SECRET}"}}', ".value: control characters"),
            (f"{{env: '{SECRET}'}}", ".env: a variable's name holds"),
            (f"{{file: {SECRET}}}", ".file: give the whole path"),
            ("{sealed: false}", ".sealed: only true makes sense here"),
        )
    ),
]


@pytest.mark.parametrize(("text", "words"), ONE_MISTAKE)
def test_one_mistake_is_told_once_with_its_path(text: str, words: str) -> None:
    found = mistakes_of(text)
    assert len(found) == 1, found
    assert words in found[0]
    assert SECRET not in found[0]
    assert not (Team.objects.exists() or Model.objects.exists() or Provider.objects.exists() or User.objects.exists())
    assert not AuditEvent.objects.exists()


def test_all_mistakes_of_a_file_are_told_at_once() -> None:
    text = (
        EXAMPLE.replace("dialect: openai", "dialect: klingon")
        .replace("http://127.0.0.1:9100/v1", "ftp://somewhere")
        .replace("tier: sandbox", "teir: sandbox")
        .replace('"0.15"', "0.15")
        .replace("provider: acme,", "provider: acne,")
        .replace("member@example.com", "not an address")
        .replace("models: [chat-small]", "models: [chat-tall]")
        .replace('limit: "50"', 'limit: "fifty"')
    )
    assert [mistake.partition(": ")[0] for mistake in mistakes_of(text)] == [
        "providers.acme.dialect",
        "models.chat-small.teir",
        "models.chat-small.price.input",
        "teams.search.members[0]",
        "teams.search.quotas[0].limit",
        "providers.acme.base_url",
        "models.chat-small.deployments[0].provider",
        "teams.search.models[0]",
    ]


def test_who_names_what_is_refused_is_told_so() -> None:
    text = EXAMPLE.replace("region: eu", "options: {moon: full}") + "aliases: {everyday: chat-small}"
    found = mistakes_of(text)
    assert found[0].startswith("providers.acme.options.moon: There is no such option")
    assert found[1:] == [
        'models.chat-small.deployments[0].provider: the provider "acme" is refused above',
        'aliases.everyday: the model "chat-small" is refused above',
    ]


def test_words_that_look_like_something_else_stay_text() -> None:
    """Norway is a region; a date in a name is no date."""
    from portal.config.apply import apply
    from tests.portal.config.example import CONFIG

    apply("version: 1\nproviders: {a: {base_url: 'https://a.example.com', region: no, name: 2026-01-01}}", actor=CONFIG)
    assert Provider.objects.values_list("region", "name").get() == ("no", "2026-01-01")
