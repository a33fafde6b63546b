"""Sending events to whoever listens: the counterpart of supervisord's ``sendRemoteCommEvent``."""

from __future__ import annotations

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import TypedDict

from kahi.events import RemoteCommunicationEvent
from kahi_api.admission import body_of
from kahi_api.answers import JsonResponse
from kahi_api.context import context_of
from kahi_api.endpoint import Access, Endpoint
from kahi_api.requests import Parameters


class RemoteEventBody(Parameters):
    """What to tell whoever listens to ``REMOTE_COMMUNICATION``."""

    type: str = Field(
        strict=True, pattern=r"^[^\s:]{1,128}$", description="What it is about: a word without colons."
    )
    data: str = Field(default="", strict=True, description="Anything.")


class PublishedObject(TypedDict):
    """An event that was published: its serial."""

    serial: int


async def send_event(request: Request) -> Response:
    """Publish a ``REMOTE_COMMUNICATION`` event."""
    body = body_of(request, RemoteEventBody)
    event = RemoteCommunicationEvent(kind=body.type, data=body.data.encode())
    context_of(request).daemon.events.publish(event)
    return JsonResponse({"serial": event.serial})


ENDPOINTS = (
    Endpoint(
        "POST",
        "/api/v1/events",
        Access.OPERATE,
        send_event,
        "Publish a REMOTE_COMMUNICATION event for listeners and plugins",
        body=RemoteEventBody,
        answers={200: PublishedObject},
    ),
)
