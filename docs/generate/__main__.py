"""Write the generated pages, for reading without the site: ``python -m docs.generate DIRECTORY``."""

from __future__ import annotations

import sys
from pathlib import Path

from docs.generate.site import PAGES


def main() -> None:
    """Write all generated pages into the directory that is named."""
    directory = Path(sys.argv[1])
    for path, page in PAGES.items():
        target = directory / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
