"""Which form a ``template`` key means."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from kahi_webhooks.notice import Notice
from kahi_webhooks.templates.discord import discord
from kahi_webhooks.templates.form import Form, JsonForm
from kahi_webhooks.templates.generic import generic
from kahi_webhooks.templates.own import OwnForm, check_own_form
from kahi_webhooks.templates.pagerduty import PagerDuty
from kahi_webhooks.templates.slack import slack
from kahi_webhooks.templates.teams import teams

PAGERDUTY: Final = "pagerduty"
PLAIN: Final[Mapping[str, Callable[[Notice], dict[str, Any]]]] = {
    "generic": generic,
    "slack": slack,
    "discord": discord,
    "teams": teams,
}
FORMS: Final = (*PLAIN, PAGERDUTY)


def make_form(template: str, routing_key: str) -> Form:
    """The form that ``template`` names, or is."""
    if template in PLAIN:
        return JsonForm(PLAIN[template])
    return PagerDuty(routing_key) if template == PAGERDUTY else OwnForm(template)


def check_template(template: str) -> None:
    """Raises ValueError when ``template`` neither names a form nor is one."""
    if template not in FORMS:
        check_own_form(template, FORMS)
