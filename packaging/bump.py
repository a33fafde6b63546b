"""Give all distributions another version.

    python packaging/bump.py 0.2.0

They go in lockstep: each has the version of all, and asks for the others with exactly that version. A section
for it is begun in CHANGELOG.md, unless there is one.
"""

from __future__ import annotations

import argparse
import re
import runpy
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VERSION_FILE = "kahi-core/src/kahi/version.py"
VERSION = re.compile(r"\d+\.\d+\.\d+((a|b|rc)\d+)?")


def bump(root: Path, new: str) -> list[Path]:
    """Write the version ``new`` wherever the present one stands; returns the files that changed.

    Raises:
        ValueError: a place does not have the present version: they are not in lockstep.
    """
    old = runpy.run_path(str(root / VERSION_FILE))["__version__"]
    changed = [root / VERSION_FILE]
    text = changed[0].read_text(encoding="utf-8")
    changed[0].write_text(text.replace(f'"{old}"', f'"{new}"'), encoding="utf-8")
    for path in [root / "pyproject.toml", *sorted(root.glob("kahi-*/pyproject.toml"))]:
        text = path.read_text(encoding="utf-8")
        if f'\nversion = "{old}"\n' not in text:
            raise ValueError(f"{path.relative_to(root)} does not have version {old}")
        text = text.replace(f'\nversion = "{old}"\n', f'\nversion = "{new}"\n')
        path.write_text(
            re.sub(rf'("kahi-[a-z]+==){re.escape(old)}"', rf'\g<1>{new}"', text), encoding="utf-8"
        )
        changed.append(path)
    changes = root / "CHANGELOG.md"
    text = changes.read_text(encoding="utf-8")
    if f"\n## {new} " not in text:
        before, heading, after = text.partition("\n## ")
        changes.write_text(f"{before}\n## {new} (not released)\n{heading}{after}", encoding="utf-8")
        changed.append(changes)
    return changed


def main() -> None:
    """Change the files, and name them."""
    parser = argparse.ArgumentParser(description="Give all distributions another version.")
    parser.add_argument("version")
    version: str = parser.parse_args().version
    if not VERSION.fullmatch(version):
        sys.exit(f"bump.py: not a version: {version}; for example 1.2.3 or 1.2.3rc1")
    for path in bump(ROOT, version):
        print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
