"""Company sign-in against a provider that lies: each check of the specification, one lie at a time."""

import base64
import hashlib
import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import jwt
import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from portal.people.identity.fresh import FRESH_KEY
from portal.people.models import AuditEvent, PersonSession, User
from tests.factories.people import UserFactory
from tests.idp.liar import ACCESS, CLIENT, SECRET, Liar

pytestmark = pytest.mark.django_db
CALLBACK = "/accounts/oidc/company/login/callback/"


@pytest.fixture
def liar(settings) -> Iterator[Liar]:
    provider = Liar()
    settings.OIDC_ISSUER = provider.issuer
    settings.SOCIALACCOUNT_PROVIDERS = {
        "openid_connect": {
            "SCOPE": ["openid", "email"],
            "APPS": [
                {
                    "provider_id": "company", "name": "Company", "client_id": CLIENT, "secret": SECRET,
                    "settings": {"server_url": provider.issuer, "oauth_pkce_enabled": True},
                }
            ],
        }
    }  # fmt: skip
    yield provider
    provider.close()


def begin(client: Client, liar: Liar, **form: str) -> str:
    """Press the button; return the query that the provider sends the browser back with."""
    sent = client.post("/accounts/oidc/company/login/", form)
    assert sent.status_code == 302
    return liar.authorize(sent.headers["location"])


def sign_in(client: Client, liar: Liar, **form: str) -> HttpResponse:
    return client.get(f"{CALLBACK}?{begin(client, liar, **form)}")


def is_signed_in(client: Client) -> bool:
    return client.get("/people/roles").status_code == 200


def test_pages_that_lead_to_the_provider_may_send_a_form_there(client: Client, liar: Liar, settings) -> None:
    def form_action(path: str) -> str:
        policy = client.get(path).headers["content-security-policy"]
        return next(part.strip() for part in policy.split(";") if "form-action" in part)

    assert form_action("/accounts/login/") == "form-action 'self' https:"
    settings.OIDC_ISSUER = ""
    assert form_action("/accounts/login/") == "form-action 'self'"


def test_an_honest_answer_signs_in(client: Client, liar: Liar) -> None:
    assert sign_in(client, liar, next="/people/roles").headers["location"] == "/people/roles"
    assert is_signed_in(client)
    person = User.objects.get()
    assert (person.issuer, person.subject, person.email) == (liar.issuer, "sub-1", "liar@example.com")
    assert PersonSession.objects.filter(user_id=person.pk).count() == 1
    assert AuditEvent.objects.filter(event="sso:session:begin", actor_id=person.pk).exists()


def test_what_is_asked_of_the_provider(client: Client, liar: Liar) -> None:
    begin(client, liar)
    asked = liar.asked
    assert asked["response_type"] == "code"
    assert asked["code_challenge_method"] == "S256"
    assert len(asked["nonce"]) >= 32
    assert len(asked["state"]) >= 16
    assert set(asked["scope"].split()) == {"openid", "email"}
    assert asked["redirect_uri"] == f"http://testserver{CALLBACK}"
    first = dict(asked)
    begin(client, liar)
    assert {first["nonce"], first["state"]} & {liar.asked["nonce"], liar.asked["state"]} == set()


def test_the_verifier_of_the_challenge_goes_to_the_token_endpoint_only(client: Client, liar: Liar) -> None:
    sign_in(client, liar)
    (told,) = liar.told
    assert told["code"] == "made-up-code"
    assert 43 <= len(told["code_verifier"]) <= 128
    assert told["code_verifier"] not in json.dumps(liar.asked)


def by_other_key(liar: Liar) -> None:
    liar.sign = lambda claims: jwt.encode(claims, liar.other_key, "RS256", headers={"kid": "one"})


def without_signature(liar: Liar) -> None:
    liar.sign = lambda claims: jwt.encode(claims, None, "none", headers={"kid": "one"})


def by_the_clients_secret(liar: Liar) -> None:
    liar.sign = lambda claims: jwt.encode(claims, SECRET * 2, "HS256", headers={"kid": "one"})


def with_an_unknown_key(liar: Liar) -> None:
    liar.header = {"kid": "three"}


def with_another_algorithm_than_the_key(liar: Liar) -> None:
    liar.sign = lambda claims: jwt.encode(claims, liar.key, "PS256", headers={"kid": "one"})


def cut_short(liar: Liar) -> None:
    liar.sign = lambda claims: liar.sign_well(claims)[:-4]


def claims_changed_after_signing(liar: Liar) -> None:
    def sign(claims: dict[str, object]) -> str:
        head, _, signature = liar.sign_well(claims).split(".")
        body = base64.urlsafe_b64encode(json.dumps(claims | {"sub": "somebody-else"}).encode()).rstrip(b"=").decode()
        return f"{head}.{body}.{signature}"

    liar.sign = sign


def claim(**claims: object) -> Callable[[Liar], None]:
    return lambda liar: liar.claims.update(claims)


def without(name: str) -> Callable[[Liar], None]:
    return lambda liar: liar.left_out.add(name)


def setting(name: str, value: object) -> Callable[[Liar], None]:
    return lambda liar: setattr(liar, name, value)


LIES: dict[str, Callable[[Liar], None]] = {
    "signed by another key": by_other_key,
    "not signed": without_signature,
    "signed by the client's secret": by_the_clients_secret,
    "signed by a key that is not listed": with_an_unknown_key,
    "signed by another algorithm than the key's": with_another_algorithm_than_the_key,
    "cut short": cut_short,
    "changed after signing": claims_changed_after_signing,
    "another issuer": claim(iss="https://elsewhere.example"),
    "no issuer": without("iss"),
    "another audience": claim(aud="another-client"),
    "no audience": without("aud"),
    "several audiences without azp": claim(aud=[CLIENT, "another-client"]),
    "made for another party": claim(aud=[CLIENT, "another-client"], azp="another-client"),
    "another nonce": claim(nonce="of-another-sign-in"),
    "no nonce": without("nonce"),
    "a nonce that is no text": claim(nonce=17),
    "expired": claim(exp=int(time.time()) - 3600),
    "without end": without("exp"),
    "not yet valid": claim(nbf=int(time.time()) + 3600),
    "from the future": claim(iat=int(time.time()) + 3600),
    "no subject": without("sub"),
    "an empty subject": claim(sub=""),
    "a subject with control characters": claim(sub="a\x00b"),
    "an endless subject": claim(sub="s" * 256),
    "another access token": claim(at_hash="AAAAAAAAAAAAAAAAAAAAAA"),
    "userinfo of somebody else": setting("userinfo", {"sub": "victim", "email": "victim@example.com"}),
    "userinfo without subject": setting("userinfo", {"email": "victim@example.com"}),
    "userinfo that fails": setting("userinfo", None),
    "userinfo that is a list": setting("userinfo", ["sub-1"]),
    "no id_token": setting("token", {"id_token": None}),
    "an id_token that is an object": setting("token", {"id_token": {"sub": "sub-1"}}),
    "an id_token that is noise": setting("token", {"id_token": "noise"}),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_signs_nobody_in(client: Client, liar: Liar, lie: str, caplog: pytest.LogCaptureFixture) -> None:
    LIES[lie](liar)
    response = sign_in(client, liar)
    assert response.status_code == 401
    assert "Company sign-in did not complete" in response.content.decode()
    assert not is_signed_in(client)
    assert not User.objects.exists()
    for secret in (ACCESS, SECRET, "made-up-code", liar.told[0]["code_verifier"]):
        assert secret not in caplog.text
    assert "company sign-in failed" in caplog.text


HONEST: dict[str, Callable[[Liar], None]] = {
    "signed by the key on a curve": lambda liar: setattr(liar, "sign", liar.sign_by_curve),
    "several audiences with azp": claim(aud=[CLIENT, "another-client"], azp=CLIENT),
    "the right at_hash": claim(
        at_hash=base64.urlsafe_b64encode(hashlib.sha256(ACCESS.encode()).digest()[:16]).rstrip(b"=").decode()
    ),
    "clocks that differ by half a minute": claim(iat=int(time.time()) + 30),
}


@pytest.mark.parametrize("truth", HONEST)
def test_unusual_truths_are_believed(client: Client, liar: Liar, truth: str) -> None:
    HONEST[truth](liar)
    sign_in(client, liar)
    assert is_signed_in(client)


@pytest.mark.parametrize(
    ("said", "comes_in"), [(True, True), ("true", True), (None, True), (False, False), ("false", False)]
)
def test_an_address_that_may_be_somebody_elses_admits_nobody(
    client: Client, liar: Liar, said: object, comes_in: bool
) -> None:
    """Whoever is made lead by e-mail must not be a stranger who wrote that address into a profile."""
    liar.claims["email_verified"] = said
    response = sign_in(client, liar)
    assert is_signed_in(client) == comes_in
    assert User.objects.exists() == comes_in
    assert comes_in or "Your e-mail address is not confirmed" in response.content.decode()


def test_what_userinfo_says_of_another_address_does_not_confirm_the_first(client: Client, liar: Liar) -> None:
    UserFactory(email="boss@example.com", status="invited")
    liar.claims["email"] = "boss@example.com"
    liar.left_out.add("email_verified")
    liar.userinfo = {"sub": "sub-1", "email": "mine@example.com", "email_verified": True}
    assert "Your invitation could not be matched" in sign_in(client, liar).content.decode()
    assert User.objects.get().status == "invited"


DOCUMENTS = {
    "another issuer": {"issuer": "https://elsewhere.example"},
    "no keys": {"jwks_uri": None},
    "no token endpoint": {"token_endpoint": None},
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_that_cannot_be_right_is_told(client: Client, liar: Liar, name: str) -> None:
    liar.document = DOCUMENTS[name]
    response = client.post("/accounts/oidc/company/login/")
    assert response.status_code == 503
    assert "does not answer as it should" in response.content.decode()


def test_a_provider_that_is_away_is_told(client: Client, liar: Liar, settings) -> None:
    query = begin(client, liar)
    liar.close()
    assert client.post("/accounts/oidc/company/login/").status_code == 503
    response = client.get(f"{CALLBACK}?{query}")
    assert response.status_code == 503
    assert not is_signed_in(client)


def test_the_clients_secret_follows_no_redirect(client: Client, liar: Liar) -> None:
    elsewhere = Liar()
    try:
        liar.exchange = lambda form: (307, {"location": f"{elsewhere.issuer}/token"})
        response = sign_in(client, liar)
    finally:
        elsewhere.close()
    assert response.status_code == 401
    assert elsewhere.told == []


def test_an_answer_of_another_issuer_is_refused(client: Client, liar: Liar) -> None:
    query = begin(client, liar)
    assert client.get(f"{CALLBACK}?{query}&iss=https://elsewhere.example").status_code == 401
    assert not is_signed_in(client)


@pytest.mark.parametrize(
    "tamper", ["state=AAAAAAAAAAAAAAAA&code=made-up-code", "code=made-up-code", "state=&code=x", ""]
)
def test_an_answer_that_was_not_asked_for_is_refused(client: Client, liar: Liar, tamper: str) -> None:
    begin(client, liar)
    assert client.get(f"{CALLBACK}?{tamper}").status_code == 401
    assert liar.told == [], "the code was not even tried"
    assert not is_signed_in(client)


def test_an_answer_works_once(client: Client, liar: Liar) -> None:
    query = begin(client, liar)
    client.get(f"{CALLBACK}?{query}")
    assert client.get(f"{CALLBACK}?{query}").status_code == 401
    assert len(liar.told) == 1


def test_an_answer_to_another_browser_is_refused(client: Client, liar: Liar) -> None:
    query = begin(Client(), liar)
    assert client.get(f"{CALLBACK}?{query}").status_code == 401
    assert not is_signed_in(client)


def test_an_old_answer_is_refused(client: Client, liar: Liar, time_machine) -> None:
    query = begin(client, liar)
    time_machine.move_to(datetime.now(UTC) + timedelta(hours=1))
    assert client.get(f"{CALLBACK}?{query}").status_code == 401


def test_sign_in_begins_by_post_only(client: Client, liar: Liar) -> None:
    assert client.get("/accounts/oidc/company/login/").headers["location"] == reverse("account_login")
    strict = Client(enforce_csrf_checks=True)
    assert strict.post("/accounts/oidc/company/login/").status_code == 403
    assert liar.asked == {}


@pytest.mark.parametrize(
    "wanted", ["https://evil.example/", "//evil.example", "javascript:alert(1)", "/\\evil.example"]
)
def test_nobody_is_sent_elsewhere_after_sign_in(client: Client, liar: Liar, wanted: str) -> None:
    location = sign_in(client, liar, next=wanted).headers["location"]
    assert urlsplit(location).netloc == ""
    assert location == "/"


def test_nobody_connects_an_identity_to_their_account(client: Client, liar: Liar) -> None:
    """allauth's `process=connect` would let an identity be added to whoever is signed in."""
    victim = UserFactory()
    client.force_login(victim, backend="portal.people.identity.backend.ActivePersonBackend")
    response = client.get(f"{CALLBACK}?{begin(client, liar, process='connect')}")
    assert response.status_code == 302
    assert client.session["_auth_user_id"] == User.objects.get(subject="sub-1").pk
    victim.refresh_from_db()
    assert victim.subject == ""


def test_extra_parameters_do_not_reach_the_provider(client: Client, liar: Liar) -> None:
    sent = client.post("/accounts/oidc/company/login/?auth_params=prompt%3Dnone&scope=admin")
    liar.authorize(sent.headers["location"])
    assert "prompt" not in liar.asked
    assert "admin" not in liar.asked["scope"]


# asked again


def test_a_new_proof_counts_and_an_old_sign_in_does_not(client: Client, liar: Liar) -> None:
    sign_in(client, liar)
    assert FRESH_KEY not in client.session, "the provider may have remembered them"
    sign_in(client, liar, again="1")
    assert (liar.asked["prompt"], liar.asked["max_age"]) == ("login", "0")
    assert client.session[FRESH_KEY] >= int(time.time()) - 5


@pytest.mark.parametrize(
    "lie", [claim(auth_time=int(time.time()) - 3600), without("auth_time"), claim(auth_time="now")]
)
def test_a_provider_that_did_not_ask_again_is_not_believed(
    client: Client, liar: Liar, lie: Callable[[Liar], None]
) -> None:
    sign_in(client, liar)
    lie(liar)
    assert sign_in(client, liar, again="1").status_code == 401
    assert FRESH_KEY not in client.session
