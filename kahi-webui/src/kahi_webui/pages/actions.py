"""Starting, stopping and restarting, from forms and from scripts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final, Literal
from urllib.parse import quote

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from kahi.process import Process
from kahi.supervisor import Outcome
from kahi.supervisor.selection import is_exact
from kahi_api.admission import body_of
from kahi_api.audit import note_of
from kahi_webui.site import page
from kahi_webui.state import WebUi


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


class ActionForm(BaseModel):
    """What a form says: ``target`` as often as needed, ``sure`` once somebody was asked."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    action: Literal["start", "stop", "restart"]
    target: Annotated[list[str], BeforeValidator(_as_list)] = Field(min_length=1)
    next: str = "/"
    sure: str = ""


MAX_NAMED: Final = 200
"""Names that a question lists."""


class Actions:
    """The route of all actions."""

    def __init__(self, site: WebUi) -> None:
        self._site = site

    async def act(self, request: Request) -> Response:
        """Do it, and go back to the page; first ask where it hurts and no script has asked."""
        form = body_of(request, ActionForm)
        note = note_of(request)
        note.action, note.on = form.action, form.target
        processes = self._site.supervisor.select(form.target)
        wants_json = "application/json" in request.headers.get("accept", "")
        if not (form.sure or wants_json) and _hurts(form, processes):
            note.result = "asked whether to"
            return await self._question(request, form, processes)
        failed = _failures(await self._perform(form, processes))
        note.result = failed or "begun"
        if wants_json:
            return JSONResponse({"error": failed} if failed else {})
        place = _local(form.next)
        return RedirectResponse(f"{place}?failed={quote(failed)}" if failed else place, 303)

    async def _perform(self, form: ActionForm, processes: Sequence[Process]) -> list[Outcome]:
        supervisor = self._site.supervisor
        strict = all(is_exact(target) for target in form.target)
        if form.action == "start":
            return await supervisor.start(processes, wait=False, strict=strict)
        if form.action == "stop":
            return await supervisor.stop(processes, wait=False, strict=strict)
        return await supervisor.restart(processes, wait=False)

    async def _question(self, request: Request, form: ActionForm, processes: Sequence[Process]) -> Response:
        count = len(processes)
        names = [process.name for process in processes]
        return await page(
            self._site,
            request,
            "confirm.html",
            question=f"{form.action.capitalize()} {'this process' if count == 1 else f'{count} processes'}?",
            names=[*names[:MAX_NAMED], *(["…"] if count > MAX_NAMED else [])],
            action=form.action,
            targets=form.target,
            next=_local(form.next),
        )


def _hurts(form: ActionForm, processes: Sequence[Process]) -> bool:
    """Whether somebody should be asked first: many processes, or one whose end is everybody's."""
    if form.action == "start":
        return False
    return len(processes) > 1 or any(process.definition.critical for process in processes)


def _failures(outcomes: Sequence[Outcome]) -> str:
    return "; ".join(str(outcome.error) for outcome in outcomes if outcome.error is not None)


def _local(place: str) -> str:
    """``place`` if it is a path of ours: a form must not send anybody elsewhere."""
    is_ours = (
        place.startswith("/") and not place.startswith("//") and "\\" not in place and place.isprintable()
    )
    return quote(place, safe="/%-_.~") if is_ours else "/"
