"""Prepare the environment, then become the given command. Its syntax parses on old Pythons, so that they are refused in words."""

import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def main(arguments):  # type: ignore[no-untyped-def] # annotations do not parse on Python 2
    """Run `[--dev] ARGUMENTS...` with the environment's Python; return only on failure."""
    if sys.version_info < (3, 11):
        sys.stderr.write(
            "Python {0}.{1} is too old: Atrium needs 3.11 or newer; install it (Debian: apt-get install python3.11) "
            "or run make run PYTHON=/path/to/python3.11\n".format(*sys.version_info[:2])
        )
        return 1
    sys.path[0] = ROOT
    from deploy import prepare

    return prepare.hand_over(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))  # type: ignore[no-untyped-call]
