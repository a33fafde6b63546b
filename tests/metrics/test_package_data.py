"""The dashboard and the alert rules that come with the package."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from tests.metrics.test_rendering import OF_WEBHOOKS, SPECIFIED

Run = Callable[..., subprocess.CompletedProcess[str]]

ROOT = Path(__file__).resolve().parents[2]
DATA = files("kahi_metrics").joinpath("data")
DASHBOARD: dict[str, Any] = json.loads(DATA.joinpath("dashboard.json").read_text(encoding="utf-8"))
ALERTS = DATA.joinpath("alerts.yml").read_text(encoding="utf-8")

needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool")


def queries() -> Iterator[str]:
    """All queries of the dashboard, with values for its variables."""
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            query = target["expr"]
            for name, value in (
                ("$__rate_interval", "1m"),
                ("$__range", "1h"),
                ("$instance", ".*"),
                ("$process", ".*"),
                ("$job", "kahi"),
            ):
                query = query.replace(name, value)
            yield query


def metrics_in(text: str) -> set[str]:
    """Names of Kahi's metrics in a query or a document."""
    return set(re.findall(r"\bkahi_(?:process|supervisor|event|plugin|webhook)_[a-z_]+|\bkahi_info\b", text))


def test_the_commands_print_them(kahi: Run) -> None:
    assert json.loads(kahi("metrics", "dashboard").stdout) == DASHBOARD
    assert kahi("metrics", "alerts").stdout == ALERTS
    assert kahi("metrics", "nonsense").returncode == 2


@pytest.mark.parametrize("text", ["\n".join(queries()), ALERTS], ids=["dashboard", "alerts"])
def test_they_speak_of_metrics_that_there_are(text: str) -> None:
    found = metrics_in(text)
    assert len(found) > 5
    assert found <= {*SPECIFIED, *OF_WEBHOOKS}


def test_the_document_names_metrics_that_there_are() -> None:
    text = (ROOT / "docs" / "how-to" / "metrics.md").read_text(encoding="utf-8")
    assert metrics_in(text)
    assert metrics_in(text) <= {*SPECIFIED, *OF_WEBHOOKS}


def test_the_dashboard_shows_everything_that_is_measured() -> None:
    shown = metrics_in("\n".join(queries()))
    assert {*SPECIFIED, *OF_WEBHOOKS} - shown <= {"kahi_supervisor_config_reload_total"}


def test_the_dashboard_fits_together() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells
        assert panel["datasource"]["uid"] == "${datasource}"
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
    variables = {variable["name"] for variable in DASHBOARD["templating"]["list"]}
    used = set(re.findall(r"\$\{?(\w+)", json.dumps(DASHBOARD)))
    assert used - {"__rate_interval", "__range"} <= variables
    assert variables <= used


@needs_promtool
def test_the_rules_are_rules(tmp_path: Path) -> None:
    path = tmp_path / "alerts.yml"
    path.write_text(ALERTS, encoding="utf-8")
    done = subprocess.run(["promtool", "check", "rules", path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "10 rules found" in done.stdout


@needs_promtool
def test_the_rules_say_what_they_should(tmp_path: Path) -> None:
    (tmp_path / "alerts.yml").write_text(ALERTS, encoding="utf-8")
    tests = Path(__file__).with_name("rules.yml").read_text(encoding="utf-8")
    path = tmp_path / "rules.yml"
    path.write_text(f"rule_files: [alerts.yml]\n{tests}", encoding="utf-8")
    done = subprocess.run(["promtool", "test", "rules", path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_rule_has_a_test() -> None:
    tested = Path(__file__).with_name("rules.yml").read_text(encoding="utf-8")
    for name in re.findall(r"alert: (\w+)", ALERTS):
        assert f"alertname: {name}\n" in tested
