"""nginx as a plain proxy: the floor. Debian's package."""

import os
import shutil
import subprocess

from benchmarks.gateways.base import Command, Gateway, Missing
from benchmarks.work import Target

CONFIG = """
user root;
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  keepalive_requests 100000000;
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  proxy_buffering off;
  upstream plain {{ server 127.0.0.1:{port}; keepalive 1024; keepalive_requests 100000000; }}
  upstream tls {{ server localhost:{tls_port}; keepalive 1024; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{listen} backlog=2048;
    location /v1/ {{ proxy_pass http://plain; }}
    location /tls/v1/ {{
      proxy_pass https://tls/v1/;
      proxy_ssl_name localhost;
      proxy_ssl_verify on;
      proxy_ssl_trusted_certificate {authority};
    }}
  }}
}}
"""


class Nginx(Gateway):
    """One worker, connections to the provider kept, nothing buffered, no log."""

    name = "nginx"
    what = "plain proxy, one worker, no access log"

    def prepare(self) -> None:
        if shutil.which("nginx") is None:
            if os.geteuid() != 0 or shutil.which("apt-get") is None:
                raise Missing("install it: sudo apt-get install nginx-light")
            for command in ("apt-get update", "apt-get install -y --no-install-recommends nginx-light"):
                if subprocess.run(command.split(), capture_output=True, check=False).returncode:
                    raise Missing(f"{command} failed")
        site = self.site
        (self.folder / "nginx.conf").write_text(
            CONFIG.format(
                folder=self.folder,
                port=site.provider_port,
                tls_port=site.provider_tls_port,
                listen=self.port,
                authority=site.authority,
            )
        )

    def version(self) -> str:
        said = subprocess.run(["nginx", "-v"], capture_output=True, text=True, check=True).stderr
        return said.strip().rpartition("/")[2]

    def command(self) -> Command:
        return Command(["nginx", "-c", str(self.folder / "nginx.conf"), "-p", str(self.folder)], dict(os.environ))

    def target(self, *, tls: bool = False) -> Target:
        return Target("127.0.0.1", self.port, "/tls" * tls + self.path)
