"""``python -m kahi`` is `kahi`."""

from __future__ import annotations

from kahi.cli import main

if __name__ == "__main__":
    main()
