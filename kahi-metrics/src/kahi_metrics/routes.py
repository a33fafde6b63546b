"""GET /metrics."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from kahi.plugins import PluginContext
from kahi_api.admission import check_access
from kahi_api.endpoint import Access, Endpoint, Text
from kahi_metrics.departed import Departed
from kahi_metrics.scraper import Scraper
from kahi_metrics.settings import MetricsSettings


def endpoints(ctx: PluginContext, departed: Departed) -> tuple[Endpoint, ...]:
    """The route; what ``[metrics]`` says is looked at for each request, so that a reload counts at once."""
    scraper = Scraper(ctx, departed)

    async def metrics(request: Request) -> Response:
        """All metrics, for Prometheus."""
        settings: MetricsSettings = ctx.config.sections["metrics"]
        if not settings.enabled:
            raise HTTPException(404)
        if settings.require_auth:
            await check_access(request, Access.READ)
        text, content_type = await scraper.scrape(request.headers.get("accept", ""))
        return Response(text, headers={"Content-Type": content_type})

    return (
        Endpoint(
            "GET",
            "/metrics",
            Access.PUBLIC,
            metrics,
            "Metrics for Prometheus, or OpenMetrics if the Accept header asks for it",
            answers={200: Text},
        ),
    )
