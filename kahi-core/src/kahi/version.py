"""The one version of all official distributions."""

from __future__ import annotations

__version__ = "0.1.0"
