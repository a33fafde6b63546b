"""The forms in which services want to be told."""

from __future__ import annotations

from kahi_webhooks.templates.choice import FORMS, PAGERDUTY, check_template, make_form
from kahi_webhooks.templates.form import Form

__all__ = ["FORMS", "PAGERDUTY", "Form", "check_template", "make_form"]
