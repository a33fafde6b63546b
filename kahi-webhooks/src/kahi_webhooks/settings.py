"""The ``[webhooks.NAME]`` table.

Every daemon imports this at its start, most have no webhooks: what checks their keys is imported, and
the model built, when there is one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    SecretStr,
    field_validator,
    model_validator,
)

from kahi.config.listener import known_event

if TYPE_CHECKING:
    from kahi_webhooks.target import Target

RETRIES_AT_MOST: Final = 20

_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE: Final = re.compile(r"(?:[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?)?")
_OWN_HEADERS: Final = frozenset(
    {"connection", "content-length", "host", "te", "trailer", "transfer-encoding", "upgrade"}
)
"""Headers that belong to the connection, not to whoever writes the configuration."""


def _target(url: SecretStr) -> Target:
    from kahi_webhooks.target import parse_target

    return parse_target(url.get_secret_value())


def _masked_url(url: SecretStr) -> str:
    from kahi.config.resolved import MASK

    # The paths of chat services' webhooks are as good as a password.
    return f"{_target(url).origin}/{MASK}"


def _masked(value: SecretStr) -> str:
    from kahi.config.resolved import MASK

    return MASK if value.get_secret_value() else ""


def _masked_body(template: str) -> str:
    from kahi.config.resolved import MASK
    from kahi_webhooks.templates import FORMS

    # A body of one's own may hold a key of its receiver.
    return template if template in FORMS else MASK


Secret = Annotated[SecretStr, PlainSerializer(_masked, return_type=str, when_used="json")]
Url = Annotated[SecretStr, PlainSerializer(_masked_url, return_type=str, when_used="json")]
Template = Annotated[str, PlainSerializer(_masked_body, return_type=str, when_used="json")]


class WebhookSettings(BaseModel):
    """``[webhooks.NAME]``: whom to tell of what."""

    model_config = ConfigDict(frozen=True, strict=True, defer_build=True)

    url: Url = Field(
        description="Where to POST to: https, or http on this machine.",
        examples=["https://example.org/webhook"],
    )
    events: tuple[str, ...] = Field(
        default=("process_state",),
        description="Event types, or what they begin with, that are sent.",
        strict=False,
    )
    processes: tuple[str, ...] = Field(
        default=(),
        description="Names or patterns of processes; events of others are not sent. Empty for all.",
        strict=False,
    )
    template: Template = Field(
        default="generic",
        description='Form of the body: "generic", "slack", "discord", "teams", "pagerduty", or a body of '
        "your own with {placeholders}.",
    )
    timeout: float = Field(
        default=5.0, ge=0.1, le=300, allow_inf_nan=False, description="Seconds an attempt may take."
    )
    retries: int = Field(
        default=3,
        ge=0,
        le=RETRIES_AT_MOST,
        description="Further attempts after one that failed for the moment.",
    )
    headers: dict[str, Secret] = Field(default_factory=dict, description="Headers that are sent as well.")
    allow_insecure: bool = Field(default=False, description="Allow http to other machines.")
    secret: Secret = Field(
        default=SecretStr(""), description="Key of the signature in the header X-Kahi-Signature."
    )
    routing_key: Secret = Field(
        default=SecretStr(""), description="Integration key of the PagerDuty service."
    )

    @property
    def target(self) -> Target:
        """The parts of the URL."""
        return _target(self.url)

    @field_validator("url")
    @classmethod
    def _usable_url(cls, url: SecretStr) -> SecretStr:
        _target(url)
        return url

    @field_validator("events")
    @classmethod
    def _known_events(cls, events: tuple[str, ...]) -> tuple[str, ...]:
        for event in events:
            known_event(event.upper())
        return events

    @field_validator("template")
    @classmethod
    def _usable_template(cls, template: str) -> str:
        from kahi_webhooks.templates import check_template

        check_template(template)
        return template

    @field_validator("headers")
    @classmethod
    def _sendable_headers(cls, headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
        for name, value in headers.items():
            if not _HEADER_NAME.fullmatch(name):
                raise ValueError(f"{name!r} is no name of a header")
            if name.lower() in _OWN_HEADERS:
                raise ValueError(f"{name} cannot be set: it belongs to the connection")
            if not _HEADER_VALUE.fullmatch(value.get_secret_value()):
                raise ValueError(f"the value of {name} has characters that a header cannot have")
        return headers

    @model_validator(mode="after")
    def _fits_together(self) -> WebhookSettings:
        target = self.target
        if target.scheme == "http" and not target.is_local and not self.allow_insecure:
            raise ValueError("url has to begin with https:// (http is for this machine, or allow_insecure)")
        if self.template == "pagerduty" and not self.routing_key.get_secret_value():
            raise ValueError('routing_key is missing: template "pagerduty" needs it')
        return self
