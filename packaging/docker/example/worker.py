"""Writes a page anew every second."""

from __future__ import annotations

import sys
import time
from pathlib import Path

directory = Path(sys.argv[1])
directory.mkdir(parents=True, exist_ok=True)
while True:
    unfinished = directory / "index.html.new"
    unfinished.write_text(f"<p>It is {time.strftime('%H:%M:%S')}.</p>\n", encoding="utf-8")
    unfinished.rename(directory / "index.html")
    print("wrote the page", flush=True)
    time.sleep(1)
