"""All processes together: groups, order, dependencies, operations, reload and shutdown."""

from __future__ import annotations

from kahi.supervisor.group import Group as Group
from kahi.supervisor.outcome import Outcome as Outcome
from kahi.supervisor.reload import ReloadReport as ReloadReport
from kahi.supervisor.supervisor import Supervisor as Supervisor

__all__ = ["Group", "Outcome", "ReloadReport", "Supervisor"]
