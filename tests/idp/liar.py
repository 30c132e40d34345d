"""An identity provider that lies on request: what it signs, names and answers is set by the test."""

import base64
import hashlib
import json
import threading
import time
from collections.abc import Callable
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

CLIENT, SECRET, ACCESS = "atrium", "made-up-client-secret-for-tests", "made-up-access-token"


@cache
def rsa_key(name: str) -> rsa.RSAPrivateKey:
    """Return the key of that name, made once: making one takes long."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Liar:
    """Honest as long as nothing is set. `claims`, `header`, `sign`, `userinfo`, `document`, `token` replace what it says."""

    def __init__(self) -> None:
        self.key, self.other_key = rsa_key("listed"), rsa_key("not listed")
        self.curve_key = ec.generate_private_key(ec.SECP256R1())
        self.claims: dict[str, Any] = {}
        self.left_out: set[str] = set()
        self.header: dict[str, Any] = {"kid": "one"}
        self.sign: Callable[[dict[str, Any]], str] = self.sign_well
        self.userinfo: dict[str, Any] | None = {"sub": "sub-1"}
        self.document: dict[str, Any] = {}
        self.token: dict[str, Any] = {}
        self.asked: dict[str, str] = {}  # the authorization request, as Atrium sent it
        self.told: list[dict[str, str]] = []  # what came to the token endpoint
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.issuer = f"http://localhost:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def authorize(self, address: str) -> str:
        """Take an authorization request; return the query with which the browser would come back."""
        self.asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        return f"code=made-up-code&state={self.asked['state']}"

    def says(self) -> dict[str, Any]:
        """Return the claims of the id_token."""
        now = int(time.time())
        honest = {
            "iss": self.issuer, "sub": "sub-1", "aud": CLIENT, "exp": now + 300, "iat": now, "nonce": self.asked.get("nonce"),
            "email": "liar@example.com", "email_verified": True, "name": "Lia Liar", "auth_time": now,
        }  # fmt: skip
        return {name: value for name, value in (honest | self.claims).items() if name not in self.left_out}

    def sign_well(self, claims: dict[str, Any]) -> str:
        return jwt.encode(claims, self.key, "RS256", headers=self.header)

    def sign_by_curve(self, claims: dict[str, Any]) -> str:
        return jwt.encode(claims, self.curve_key, "ES256", headers={"kid": "two"})

    def answer(self, path: str) -> tuple[int, Any]:
        """Return status and JSON of a GET."""
        if path == "/.well-known/openid-configuration":
            places = {
                "authorization_endpoint": "authorize",
                "token_endpoint": "token",
                "jwks_uri": "jwks",
                "userinfo_endpoint": "me",
            }
            return 200, {
                "issuer": self.issuer,
                **{name: f"{self.issuer}/{place}" for name, place in places.items()},
            } | self.document
        if path == "/jwks":
            one = RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True) | {
                "kid": "one",
                "use": "sig",
                "alg": "RS256",
            }
            two = ECAlgorithm.to_jwk(self.curve_key.public_key(), as_dict=True) | {
                "kid": "two",
                "use": "sig",
                "alg": "ES256",
            }
            return 200, {"keys": [one, two]}
        if path == "/me":
            return (200, self.userinfo) if self.userinfo is not None else (500, {})
        return 404, {}

    def exchange(self, form: dict[str, str]) -> tuple[int, Any]:
        """Return status and JSON of the token endpoint."""
        self.told.append(form)
        challenge = (
            base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
            .rstrip(b"=")
            .decode()
        )
        if challenge != self.asked.get("code_challenge"):
            return 400, {"error": "invalid_grant"}
        return 200, {"access_token": ACCESS, "token_type": "Bearer", "id_token": self.sign(self.says())} | self.token

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        liar = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._send(*liar.answer(urlsplit(self.path).path))

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"])).decode()
                self._send(*liar.exchange({name: values[0] for name, values in parse_qs(body).items()}))

            def _send(self, status: int, content: Any) -> None:
                body = json.dumps(content).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                if "location" in (content if isinstance(content, dict) else {}):
                    self.send_header("location", content["location"])
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        return Handler
