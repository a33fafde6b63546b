"""`kahi metrics`: what goes into Grafana and Prometheus."""

from __future__ import annotations

import click


@click.group()
def metrics() -> None:
    """Print a dashboard or alert rules."""


@metrics.command()
def dashboard() -> None:
    """Print a Grafana dashboard, to be imported there."""
    _print("dashboard.json")


@metrics.command()
def alerts() -> None:
    """Print alert rules for Prometheus, to be named in its rule_files."""
    _print("alerts.yml")


def _print(name: str) -> None:
    from importlib.resources import files

    text = files("kahi_metrics").joinpath("data", name).read_text(encoding="utf-8")
    click.echo(text, nl=False)
