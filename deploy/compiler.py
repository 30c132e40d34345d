"""Compiles the gateway with mypyc into a copy beside the sources: `make compile`. Why: docs/adr/0012-compiled-data-plane.md."""

import fcntl
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy import compiled
from deploy.failures import Stop

# What stays as it is, and why. All else of the package is compiled.
INTERPRETED = {
    "gateway/control": "Django's side: once a second, not once a call, and mypyc knows no Django",
    "gateway/errors.py": "classes that set several attributes in one assignment",
    "gateway/addresses.py": "an OSError of our own, which mypyc cannot make",
    "gateway/journal/flush.py": "an attribute that C takes for a word of its own",
}
# So do files with classes that msgspec makes: it needs their annotations as they are written, and makes them in C itself.
STRUCT = re.compile(r"^class \w+\(msgspec\.Struct\b", re.MULTILINE)
PARTS = 2  # compiled side by side
# Optimised no further: -O2 takes a third longer to compile and is not faster to run than the noise of a measurement.
OPTIMISATION = "1"
FRESH = compiled.TREES.with_name(".compiled.new")
LOG = compiled.TREES.with_name(".compiled.log")
LIMIT_S = 1200
CHANGED = "Unsupported default attribute value"  # mypyc warns, and drops the attribute
NO_COMPILER = (
    "No C compiler ({name}) to compile the gateway with: install one (Debian: apt-get install gcc, macOS: "
    "xcode-select --install)."
)
NO_HEADERS = (
    "Python's C headers are missing ({path}): install them (Debian: apt-get install python{major}.{minor}-dev) or use a "
    "Python that has them."
)


def main() -> int:
    """Compile, unless a copy of these very sources is there. Returns the exit code."""
    try:
        ensure()
    except Stop as stop:
        print(stop, file=sys.stderr)
        return 1
    return 0


def ensure() -> Path:
    """Return the compiled copy of the sources as they are; make it where it is missing. Raises Stop."""
    with _alone():
        if (found := compiled.tree()).is_dir():
            return found
        _check_tools()
        print("Compiling the gateway …", flush=True)
        begun = time.monotonic()
        try:
            made = _build()
        finally:
            shutil.rmtree(FRESH, ignore_errors=True)
        print(f"Compiled after {time.monotonic() - begun:.0f} s.", flush=True)
        return made


def modules(home: Path) -> list[str]:
    """Return the files to compile, as paths from `home`."""
    found = [path.relative_to(home) for path in compiled.sources(home) if path.name != "__init__.py"]
    named = [path for path in found if not {str(path), *map(str, path.parents)} & INTERPRETED.keys()]
    return [str(path) for path in named if not STRUCT.search((home / path).read_text(encoding="utf-8"))]


def _build() -> Path:
    """Make the copy beside its place, and move it there when it is complete."""
    shutil.rmtree(FRESH, ignore_errors=True)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(compiled.ROOT / compiled.PACKAGE, FRESH / compiled.PACKAGE, ignore=ignored)
    target = compiled.TREES / compiled.digest(FRESH)
    done = subprocess.run(
        [sys.executable, "-c", "from deploy import compiler; compiler.compile_here()"],
        cwd=FRESH,
        env={**os.environ, "PYTHONPATH": str(compiled.ROOT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    if done.returncode != 0 or CHANGED in done.stdout:
        LOG.write_text(done.stdout, encoding="utf-8")
        lines = [line for line in done.stdout.splitlines() if "error" in line or CHANGED in line]
        raise Stop(f"Compiling the gateway failed: {(lines or ['no reason given'])[0]} (details: {LOG}).")
    shutil.rmtree(FRESH / "build")
    shutil.rmtree(compiled.TREES, ignore_errors=True)
    compiled.TREES.mkdir()
    return FRESH.rename(target)


def compile_here() -> None:
    """Compile the package in the current folder, in place. Exits with what mypyc or the C compiler says."""
    from mypyc.build import mypycify
    from setuptools import setup

    files = modules(Path.cwd())
    by_size = sorted(files, key=lambda file: -os.path.getsize(file))
    parts: list[tuple[list[str], str | None]] = [
        (by_size[number::PARTS], f"{compiled.PACKAGE}_{number}") for number in range(PARTS)
    ]
    flags = ["--ignore-missing-imports", "--follow-imports=silent", "--cache-dir=build/mypy", "--config-file="]
    extensions = mypycify([*flags, *files], opt_level=OPTIMISATION, debug_level="0", separate=parts)
    for extension in extensions:
        shim = len(extension.sources) == 1 and "__native" not in extension.sources[0]
        extension.extra_compile_args += ["-w", *(["-O0"] if shim else [])]
    words = ["--quiet", "build_ext", "--inplace", "--parallel", str(PARTS)]
    setup(name=compiled.PACKAGE, packages=[], ext_modules=extensions, script_args=words)


def _check_tools() -> None:
    name = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()[0]
    if shutil.which(name) is None:
        raise Stop(NO_COMPILER.format(name=name))
    header = Path(sysconfig.get_path("include"), "Python.h")
    if not header.exists():
        raise Stop(NO_HEADERS.format(path=header, major=sys.version_info.major, minor=sys.version_info.minor))


@contextmanager
def _alone() -> Iterator[None]:
    """Hold the place of the copies against a second build at the same time."""
    handle = os.open(compiled.ROOT / "deploy", os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


if __name__ == "__main__":
    sys.exit(main())
