"""Configuration: files, models, expansion, errors worth reading, and what a reload changes."""

from __future__ import annotations

from kahi.config.config import Config as Config
from kahi.config.difference import ConfigDiff as ConfigDiff
from kahi.config.difference import GroupChange as GroupChange
from kahi.config.difference import diff as diff
from kahi.config.files import find as find
from kahi.config.loading import load as load
from kahi.config.models import SupervisorSettings as SupervisorSettings

__all__ = ["Config", "ConfigDiff", "GroupChange", "SupervisorSettings", "diff", "find", "load"]
