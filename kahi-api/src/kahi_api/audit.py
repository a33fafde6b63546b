"""One audit record for each request that changes something, or tries to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import Response

from kahi.audit import audit
from kahi.errors import KahiError
from kahi.supervisor import Outcome
from kahi_api.endpoint import Endpoint, Handler
from kahi_api.errors import TooManyAttempts, Unauthorized, error_code
from kahi_api.identity import peer_of


@dataclass(slots=True)
class Note:
    """What the handler knows better than the route.

    Args:
        action: what is done, beyond what the route says.
        on: what it is done to; the path's parameters when it is empty.
        result: what came of it, where it is not all of it well.
    """

    action: str = ""
    on: list[str] = field(default_factory=list[str])
    result: str = ""


def note_of(request: Request) -> Note:
    """What will be recorded of this request; for handlers to fill in."""
    found: Note | None = request.scope["state"].get("audit")
    if found is None:
        found = request.scope["state"]["audit"] = Note()
    return found


def note_outcomes(request: Request, outcomes: Iterable[Outcome]) -> None:
    """Record what an operation on several processes did not achieve."""
    failed = [str(outcome.error) for outcome in outcomes if outcome.error is not None]
    if failed:
        note_of(request).result = f"{len(failed)} failed: {'; '.join(failed)}"


def audited(endpoint: Endpoint, handle: Handler) -> Handler:
    """``handle``, and a record of what became of the request.

    Strangers are not recorded here: whoever fails to prove who it is, is in the log already.
    """

    async def recorded(request: Request) -> Response:
        try:
            response = await handle(request)
        except (Unauthorized, TooManyAttempts):
            raise
        except KahiError as error:
            _record(endpoint, request, f"{error_code(error)[1]}: {error}")
            raise
        except Exception:
            _record(endpoint, request, "SERVER_ERROR")
            raise
        good = "begun" if response.status_code == 202 else "ok"
        bad = "" if response.status_code < 400 else f"answered {response.status_code}"
        _record(endpoint, request, note_of(request).result or bad or good)
        return response

    return recorded


def _record(endpoint: Endpoint, request: Request, result: str) -> None:
    note = note_of(request)
    identity = request.scope["state"].get("identity")
    on: Sequence[str] = note.on or [str(value) for value in request.path_params.values()]
    what = f"{endpoint.method} {endpoint.path} {note.action}".rstrip()
    audit(str(identity or peer_of(request)), what, on, result)
