"""The floors of the design: a module imports only from floors below its own."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CORE = ROOT / "kahi-core" / "src" / "kahi"

FLOORS = {
    "error": 0,
    "errors": 0,
    "audit": 0,
    "version": 0,
    "build": 0,
    "system": 0,
    "definition": 0,
    "entrypoints": 0,
    "boundary": 0,
    "events": 1,
    "hookspecs": 1,
    "hookvalues": 1,
    "markers": 1,
    "plugins": 1,
    "lifecycle": 2,
    "child": 2,
    "identity": 2,
    "launch": 2,
    "reaper": 2,
    "leftovers": 2,
    "guardian": 2,
    "ledger": 2,
    "survivors": 2,
    "stdio": 0,
    "stdin": 2,
    "usage": 1,
    "sockets": 2,
    "output": 2,
    "config": 2,
    "process": 3,
    "supervisor": 4,
    "fastcgi": 4,
    "listeners": 4,
    "health": 4,
    "daemon": 5,
    "cli": 6,
    "__main__": 6,
    "testing": 7,
    "": 0,
}
"""Floor of each room of core; "" is the package itself."""


def imports(path: Path) -> Iterator[str]:
    """Names of the modules that a file imports at run time."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in _runtime_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def _runtime_nodes(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield child
        yield from _runtime_nodes(child)


def room(module: str) -> str:
    """``output`` of ``kahi.output.plane``."""
    return module.partition(".")[2].partition(".")[0]


CORE_FILES = sorted(CORE.rglob("*.py"))


@pytest.mark.parametrize("path", CORE_FILES, ids=[str(path.relative_to(CORE)) for path in CORE_FILES])
def test_core_keeps_its_floors(path: Path) -> None:
    own = path.relative_to(CORE).with_suffix("").parts[0].replace("__init__", "")
    for module in imports(path):
        if module.partition(".")[0] == "kahi":
            assert FLOORS[room(module)] <= FLOORS[own], f"{own} imports {module}"
        assert not module.startswith("kahi_"), f"core imports the plugin {module}"
        assert own == "testing" or module.partition(".")[0] != "pytest", f"{own} imports pytest"


@pytest.mark.parametrize("name", ["webui", "metrics", "webhooks", "migrate", "fips", "api"])
def test_plugins_do_not_import_each_other(name: str) -> None:
    inside_the_api = {"webui", "metrics"}
    for path in (ROOT / f"kahi-{name}" / "src").rglob("*.py"):
        for module in imports(path):
            if not module.startswith("kahi_"):
                continue
            other = module.partition(".")[0].removeprefix("kahi_")
            allowed = {name} | ({"api"} if name in inside_the_api else set[str]())
            assert other in allowed, f"{path} imports {module}"


@pytest.mark.parametrize(
    "forbidden",
    [
        "pydantic",
        "starlette",
        "uvicorn",
        "asyncio",
        "http.client",
        "importlib.metadata",
        "pluggy",
        "click",
        "dataclasses",
        "typing",
        "ssl",
        "urllib",
    ],
)
def test_ctl_stays_light(forbidden: str, tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from kahi.cli import main\n"
        f"sys.argv = ['kahi', 'ctl', '-s', {str(tmp_path / 'none')!r}, 'status']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        f"assert {forbidden!r} not in sys.modules, {forbidden!r}\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "cannot connect" in done.stderr
