"""Notes in wheels and sdists which commit they were built from."""

from __future__ import annotations

import json
import runpy
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class NoteCommit(BuildHookInterface[Any]):
    """Adds ``build.json``; an sdist has it already, and editable installs ask git whenever they are asked."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before it builds."""
        root = Path(self.root)
        module = runpy.run_path(str(root / "src/kahi/build.py"))
        if version == "editable" or (root / "src/kahi" / module["NOTE"]).exists():
            return
        found = module["from_git"](root.parent)
        if found.commit:
            self._folder = tempfile.TemporaryDirectory()
            note = Path(self._folder.name) / module["NOTE"]
            note.write_text(json.dumps(found._asdict()) + "\n", encoding="utf-8")
            package = "kahi" if self.target_name == "wheel" else "src/kahi"
            build_data["force_include"][str(note)] = f"{package}/{module['NOTE']}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Called by hatchling after it has built."""
        folder = getattr(self, "_folder", None)
        if folder is not None:
            folder.cleanup()
