"""Every limit of the API, in one place. Sizes are bytes, times are seconds."""

from __future__ import annotations

from typing import Final

HEAD_SIZE: Final = 32 * 1024
"""Of a request's line and header fields together."""

HEAD_FIELDS: Final = 100
"""Header fields of a request."""

HEAD_TIME: Final = 5.0
"""From the first byte of a request (or the connection's begin) to the end of its head."""

BODY_SIZE: Final = 1024 * 1024
"""Of a request's body."""

BODY_TIME: Final = 15.0
"""From the end of a request's head to that of its body."""

FORM_FIELDS: Final = 1000
"""Fields of a form."""

KEEP_ALIVE: Final = 75
"""For which a connection stays open after an answer, without another request."""

READING_TIME: Final = 30.0
"""For which an answer may wait for a client that does not read any of it; streams are excepted."""

HANDSHAKE_TIME: Final = 5.0
"""Of TLS."""

CONNECTIONS: Final = 1000
"""That are open at the same time, unless the configuration says otherwise."""

KEPT_FOR_UNIX: Final = 32
"""Connections of those that only the Unix socket gets."""

STREAMS: Final = 256
"""Of server-sent events that are open at the same time, unless the configuration says otherwise."""

HEARTBEAT: Final = 15.0
"""Silence of a stream after which a comment shows that it lives."""

EVENTS_SIZE: Final = 1024 * 1024
"""Of the events that wait for streams that do not keep up."""

GRACE: Final = 0.5
"""For requests that are under way when the server ends."""
