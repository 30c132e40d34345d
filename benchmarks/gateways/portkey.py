"""Portkey's open gateway, from npm: no keys, no budgets; it passes the client's credential on."""

import json
import os
import shutil
import subprocess
from pathlib import Path

from benchmarks.gateways.base import CACHE, Command, Gateway, Missing
from benchmarks.work import Target

VERSION = "1.15.2"
HOME = CACHE / "portkey"
SHIM = Path(__file__).with_suffix(".mjs")
PACKAGE = HOME / "node_modules" / "@portkey-ai" / "gateway"


class Portkey(Gateway):
    """Without its console."""

    name = "Portkey"
    what = "open gateway; it has no keys, budgets or metering"

    def prepare(self) -> None:
        if shutil.which("npm") is None:
            raise Missing("it needs Node and npm")
        if not PACKAGE.exists() or self.version() != VERSION:
            HOME.mkdir(parents=True, exist_ok=True)
            command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(HOME)]
            done = subprocess.run(
                [*command, f"@portkey-ai/gateway@{VERSION}"], capture_output=True, text=True, check=False
            )
            if done.returncode:
                raise Missing(f"npm could not install it: {done.stderr.strip()[-200:]}")

    def version(self) -> str:
        return str(json.loads((PACKAGE / "package.json").read_text())["version"])

    def command(self) -> Command:
        env = {**os.environ, "NODE_ENV": "production", "NODE_EXTRA_CA_CERTS": str(self.site.authority)}
        server = PACKAGE / "build" / "start-server.js"
        return Command(
            ["node", "--import", SHIM.as_uri(), str(server), f"--port={self.port}", "--headless"], env, PACKAGE
        )

    def target(self, *, tls: bool = False) -> Target:
        upstream = self.site.provider_tls if tls else self.site.provider
        headers = (
            ("Authorization", "Bearer sk-provider"),
            ("x-portkey-provider", "openai"),
            ("x-portkey-custom-host", f"{upstream}/v1"),
        )
        return Target("127.0.0.1", self.port, self.path, headers)
