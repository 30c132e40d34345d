"""Copies the few third-party files that the browser gets out of node_modules into static/vendor/."""

import re
import shutil
from pathlib import Path

from deploy import stamp
from deploy.failures import Stop

ROOT = Path(__file__).resolve().parent.parent
MODULES = ROOT / "node_modules"
VENDOR = ROOT / "static" / "vendor"
NOTE = VENDOR / ".atrium-copied.json"
ICON_LIST = ROOT / "deploy" / "icons.txt"
ICONS = MODULES / "@tabler" / "icons" / "icons"
FILES = {
    "tabler.min.css": "@tabler/core/dist/css/tabler.min.css",
    "chart.umd.min.js": "chart.js/dist/chart.umd.min.js",
    "hanken-grotesk.woff2": "@fontsource-variable/hanken-grotesk/files/hanken-grotesk-latin-wght-normal.woff2",
    "hanken-grotesk-ext.woff2": "@fontsource-variable/hanken-grotesk/files/hanken-grotesk-latin-ext-wght-normal.woff2",
    "hanken-grotesk-LICENSE.txt": "@fontsource-variable/hanken-grotesk/LICENSE",
}
SOURCE_MAP = re.compile(
    rb"(/\*|//)# sourceMappingURL=[^\n]*"
)  # the maps are not copied; a dangling name breaks hashed file names


def icon_names() -> list[str]:
    """Return the icons that templates may use, `filled/name` for the filled ones."""
    lines = ICON_LIST.read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def missing() -> bool:
    """Say whether static/vendor/ is not what the lock and the list of icons name."""
    return stamp.read(NOTE).get("from") != _sources()


def copy() -> None:
    """Fill static/vendor/ anew. Raises Stop for an icon that does not exist."""
    shutil.rmtree(VENDOR, ignore_errors=True)
    (VENDOR / "icons" / "filled").mkdir(parents=True)
    for name, source in FILES.items():
        content = (MODULES / source).read_bytes()
        (VENDOR / name).write_bytes(SOURCE_MAP.sub(b"", content))
    for name in icon_names():
        source_file = ICONS / (f"{name}.svg" if name.startswith("filled/") else f"outline/{name}.svg")
        if not source_file.is_file():
            raise Stop(f'deploy/icons.txt names "{name}", which @tabler/icons does not have.')
        shutil.copyfile(source_file, VENDOR / "icons" / f"{name}.svg")
    stamp.write(NOTE, {"from": _sources()})


def _sources() -> str:
    return stamp.digest(ROOT / "package-lock.json", ICON_LIST, Path(__file__))


if __name__ == "__main__":
    copy()
