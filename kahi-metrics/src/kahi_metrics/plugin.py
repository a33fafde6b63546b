"""The plugin: /metrics beside the API."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from kahi.hookspecs import ConfigSection, hookimpl
from kahi.plugins import PluginContext
from kahi_metrics.departed import Departed
from kahi_metrics.settings import MetricsSettings

if TYPE_CHECKING:
    from kahi_api.endpoint import Endpoint


class MetricsPlugin:
    """``[metrics]``. Between scrapes it does nothing but remember who left."""

    kahi_requires = ("api",)

    def __init__(self) -> None:
        self._departed = Departed(time.monotonic)

    @hookimpl
    def kahi_addhooks(self) -> Sequence[object]:
        """Collectors of other plugins."""
        from kahi_metrics import hookspecs

        return (hookspecs,)

    @hookimpl
    def kahi_config_sections(self) -> Sequence[ConfigSection]:
        """``[metrics]``."""
        return (ConfigSection("metrics", MetricsSettings),)

    @hookimpl
    def kahi_setup(self, ctx: PluginContext) -> None:
        """Begin to remember who leaves."""
        ctx.supervisor.watchers.removed.append(self._departed.note)
        if ctx.user:
            from kahi_metrics.scraper import load_renderer

            # The new user may not be allowed to read the libraries.
            load_renderer()

    @hookimpl
    def kahi_api_routes(self, ctx: PluginContext) -> Sequence[Endpoint]:
        """The route."""
        from kahi_metrics.routes import endpoints

        return endpoints(ctx, self._departed)


plugin = MetricsPlugin()
