"""Plugins: found, filtered before they are imported, checked, called in isolation, and listed."""

from __future__ import annotations

from kahi.plugins.calls import HookFailed
from kahi.plugins.context import PluginContext
from kahi.plugins.discovery import DISABLE_VARIABLE, GROUP
from kahi.plugins.info import PluginInfo, ServiceInfo, Status
from kahi.plugins.manager import PluginManager, PluginMissing
from kahi.plugins.registration import RegistrationError

__all__ = [
    "DISABLE_VARIABLE",
    "GROUP",
    "HookFailed",
    "PluginContext",
    "PluginInfo",
    "PluginManager",
    "PluginMissing",
    "RegistrationError",
    "ServiceInfo",
    "Status",
]
