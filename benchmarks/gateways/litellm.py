"""LiteLLM's proxy, from PyPI into an environment of its own: with a master key only.

Its virtual keys need PostgreSQL through a Prisma engine, a binary that is downloaded from its vendor's host when first
used and that no package registry has: that configuration is not measured.
"""

import json
import os
import subprocess
import sys

from benchmarks import work
from benchmarks.gateways.base import CACHE, Command, Gateway, Missing

VERSION = "1.106.2"
HOME = CACHE / "litellm"
KEY = "sk-bench-master"
TLS_MODEL = "bench-tls"
WITHOUT_KEYS = "virtual keys: not reached, as its database engine (Prisma) comes from no package registry"


class LiteLLM(Gateway):
    """One process, no database."""

    name = "LiteLLM"
    what = f"proxy, master key only ({WITHOUT_KEYS})"
    headers = (("Authorization", f"Bearer {KEY}"),)

    def prepare(self) -> None:
        if not (HOME / "bin" / "litellm").exists() or self.version() != VERSION:
            CACHE.mkdir(exist_ok=True)
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(HOME)], check=True)
            install = [str(HOME / "bin" / "pip"), "install", "--quiet", f"litellm[proxy]=={VERSION}"]
            done = subprocess.run(install, capture_output=True, text=True, check=False)
            if done.returncode:
                raise Missing(f"pip could not install it: {done.stderr.strip()[-200:]}")
        (self.folder / "config.yaml").write_text(json.dumps(self._config()))  # JSON is YAML

    def _config(self) -> dict[str, object]:
        def model(name: str, base: str) -> dict[str, object]:
            called = {"model": f"openai/{work.MODEL}", "api_base": f"{base}/v1", "api_key": "sk-provider"}
            return {"model_name": name, "litellm_params": called}

        return {
            "model_list": [model(work.MODEL, self.site.provider), model(TLS_MODEL, self.site.provider_tls)],
            "general_settings": {"master_key": KEY},
        }

    def version(self) -> str:
        code = "import importlib.metadata as m; print(m.version('litellm'))"
        done = subprocess.run([str(HOME / "bin" / "python"), "-c", code], capture_output=True, text=True, check=False)
        return done.stdout.strip()

    def command(self) -> Command:
        env = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
        env |= {
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # asks no host at its start
            "LITELLM_LOG": "ERROR",
            "SSL_CERT_FILE": str(self.site.authority),
        }
        config = str(self.folder / "config.yaml")
        address = ["--host", "127.0.0.1", "--port", str(self.port)]
        return Command([str(HOME / "bin" / "litellm"), "--config", config, *address], env, self.folder)

    def body(self, *, tls: bool = False, streamed: bool = False, paced: bool = False) -> bytes:
        return work.chat_body(streamed=streamed, paced=paced, model=TLS_MODEL if tls else work.MODEL)
