"""Events: the last ones, those to come, and what clients tell."""

from __future__ import annotations

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from kahi.events import RemoteCommunicationEvent
from kahi_api.admission import body_of, query_of
from kahi_api.answers import JsonResponse
from kahi_api.audit import note_of
from kahi_api.context import context_of
from kahi_api.endpoint import Access, Endpoint, EventStream
from kahi_api.event_feed import Wanted, event_object, event_stream_of, wanted_types
from kahi_api.objects import EventObject, PublishedObject
from kahi_api.requests import Number, Parameters
from kahi_api.streams import event_stream, last_event_id


class HistoryQuery(Parameters):
    """Which of the last events."""

    since: Number = Field(default=0, ge=0, description="Those with a serial above this one.")
    limit: Number | None = Field(default=None, ge=0, description="The newest of them, so many.")


class StreamQuery(Parameters):
    """Which of the events to come."""

    types: str = Field(
        default="",
        description="Types or what they begin with, with commas between them; without, every event that the"
        " history keeps (not output and ticks).",
    )
    process: str = Field(default="", description="Only those of this process.")


class RemoteEventBody(Parameters):
    """What to tell whoever listens to ``REMOTE_COMMUNICATION``."""

    type: str = Field(
        strict=True, pattern=r"^[^\s:]{1,128}$", description="What it is about: a word without colons."
    )
    data: str = Field(default="", strict=True, max_length=64 * 1024, description="Anything.")


async def history(request: Request) -> Response:
    """The last events, oldest first."""
    query = query_of(request, HistoryQuery)
    found = context_of(request).daemon.events.history(query.since, query.limit)
    return JsonResponse([event_object(event) for event in found])


async def follow(request: Request) -> Response:
    """Events as they happen; ``Last-Event-ID`` replays what came after it."""
    context = context_of(request)
    query = query_of(request, StreamQuery)
    plugins = [info.name for info in context.daemon.plugins.list()]
    wanted = Wanted(wanted_types(query.types.split(","), plugins), query.process)
    return event_stream(
        request, event_stream_of(context.feed, context.streams, wanted, last_event_id(request))
    )


async def send(request: Request) -> Response:
    """Publish a ``REMOTE_COMMUNICATION`` event, as supervisord's ``sendRemoteCommEvent`` does."""
    body = body_of(request, RemoteEventBody)
    event = RemoteCommunicationEvent(kind=body.type, data=body.data.encode())
    note_of(request).action = body.type
    context_of(request).daemon.events.publish(event)
    return JsonResponse({"serial": event.serial})


ENDPOINTS = (
    Endpoint(
        "GET",
        "/api/v1/events",
        Access.READ,
        history,
        "The last events",
        query=HistoryQuery,
        answers={200: list[EventObject]},
    ),
    Endpoint(
        "GET",
        "/api/v1/events/stream",
        Access.READ,
        follow,
        "Events as they happen",
        query=StreamQuery,
        answers={200: EventStream},
    ),
    Endpoint(
        "POST",
        "/api/v1/events",
        Access.OPERATE,
        send,
        "Publish a REMOTE_COMMUNICATION event for listeners and plugins",
        body=RemoteEventBody,
        answers={200: PublishedObject},
    ),
)
"""Each event of the stream has its type as ``event``, its serial as ``id`` and itself as ``data``."""
