"""The plugin: tells HTTP endpoints what happens."""

from __future__ import annotations

import platform
import ssl
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from kahi.config.config import Config
from kahi.hookspecs import ConfigSection, Service, hookimpl
from kahi.plugins import PluginContext
from kahi_webhooks.settings import WebhookSettings

if TYPE_CHECKING:
    from prometheus_client.registry import Collector

    from kahi_webhooks.dispatcher import Dispatcher

TABLE: Final = "webhooks"


class WebhooksPlugin:
    """``[webhooks.NAME]``."""

    def __init__(self) -> None:
        self._dispatcher: Dispatcher | None = None

    @hookimpl
    def kahi_config_sections(self) -> Sequence[ConfigSection]:
        """The table of webhooks."""
        return (ConfigSection(TABLE, WebhookSettings, many=True),)

    @hookimpl
    def kahi_setup(self, ctx: PluginContext) -> None:
        """Subscribe, so that nothing that happens at the start is missed."""
        from kahi_webhooks.courier import HttpCourier, load_exchange
        from kahi_webhooks.dispatcher import Dispatcher
        from kahi_webhooks.notice import Origin

        def narrow(context: ssl.SSLContext) -> None:
            ctx.plugins.narrow_tls(context, ctx.config)

        origin = Origin(ctx.supervisor.identifier, platform.node())
        self._dispatcher = Dispatcher(ctx.events, origin, HttpCourier(narrow))
        self._dispatcher.apply(ctx.config.sections[TABLE])
        if ctx.user:
            # The new user may not be allowed to read the libraries.
            load_exchange(narrow)

    @hookimpl
    def kahi_services(self, ctx: PluginContext) -> Sequence[Service]:
        """The deliveries."""
        assert self._dispatcher is not None
        from kahi_webhooks.dispatcher import LAST_DELIVERIES

        # The second is for counting what was not delivered in time.
        return (Service("deliveries", self._dispatcher.running, stop_seconds=LAST_DELIVERIES + 1),)

    @hookimpl
    def kahi_reload(self, ctx: PluginContext, old: Config, new: Config) -> None:
        """Take over added, changed and removed webhooks."""
        if self._dispatcher is not None:
            self._dispatcher.apply(new.sections[TABLE])

    @hookimpl(optionalhook=True)
    def kahi_metrics_collectors(self, ctx: PluginContext) -> Sequence[Collector]:
        """Deliveries and circuits, where metrics are collected."""
        from kahi_webhooks.metrics import WebhooksCollector

        assert self._dispatcher is not None
        return (WebhooksCollector(self._dispatcher),)


plugin = WebhooksPlugin()
