#!/usr/bin/env python
"""Atrium's command line."""

import os
import sys

from django.core.management import execute_from_command_line

from portal.env import BadEnvironment

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    try:
        execute_from_command_line(sys.argv)
    except BadEnvironment as mistake:
        sys.exit(f"{mistake}.")
