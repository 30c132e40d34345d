"""Atrium's settings in the process that runs the tests: a folder of its own, known secrets, nothing taken from the shell."""

import os

from tests.services import environment

os.environ.update(environment.in_process())
for _name in environment.FOREIGN:
    os.environ.pop(_name, None)

from portal.settings import *  # noqa: F403
from portal.settings import DATABASES, EMBEDDED_DATABASE

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # slow by design elsewhere
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"

_options = DATABASES["default"]["OPTIONS"]
if EMBEDDED_DATABASE:
    # A file, as threads share it; no waiting for the disk, as nothing outlives the run.
    DATABASES["default"]["TEST"] = {"NAME": str(environment.data_dir() / "test.sqlite3")}
    _options["init_command"] = _options["init_command"].replace("synchronous=FULL", "synchronous=OFF")
else:
    _options.pop("options", None)  # a test may hold its transaction open for as long as it likes
    _options.pop("pool", None)  # a pool keeps connections open, and then the test database cannot be dropped

STATIC_ROOT.mkdir(parents=True, exist_ok=True)  # noqa: F405 - whitenoise warns about a folder that is not there
