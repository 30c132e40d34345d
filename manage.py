#!/usr/bin/env python
"""Atrium's command line."""

import os
import sys

from deploy import compiled

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    compiled.take(sys.argv[1:])  # before anything of the gateway is imported

    from django.core.management import execute_from_command_line

    from portal.env import BadEnvironment

    try:
        execute_from_command_line(sys.argv)
    except BadEnvironment as mistake:
        sys.exit(f"{mistake}.")
