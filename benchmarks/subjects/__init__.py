"""The supervisors that are measured: how each is configured, started and asked."""

from __future__ import annotations

from benchmarks.subjects.circus import Circus
from benchmarks.subjects.directories import S6, Runit
from benchmarks.subjects.kahi import Kahi
from benchmarks.subjects.program import Program
from benchmarks.subjects.smallest import Smallest
from benchmarks.subjects.subject import ENVIRONMENT, Subject, Unable
from benchmarks.subjects.supervisord import Supervisord

SUBJECTS: tuple[Subject, ...] = (Kahi(), Supervisord(), Smallest(), Runit(), S6(), Circus())

__all__ = ["ENVIRONMENT", "SUBJECTS", "Kahi", "Program", "Subject", "Unable"]
