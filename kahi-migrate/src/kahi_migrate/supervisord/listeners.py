"""What ``[eventlistener:x]`` has beside what every program has."""

from __future__ import annotations

from kahi_migrate.supervisord.configuration import Value
from kahi_migrate.supervisord.programs import ProgramTranslation
from kahi_migrate.supervisord.resolve import DEFAULT_HANDLER, LISTENER_PRIORITY


class ListenerTranslation(ProgramTranslation):
    """A pool of event listeners."""

    def _take_priority(self, value: Value, comment: str) -> None:
        if self._policy.priority != LISTENER_PRIORITY:
            super()._take_priority(value, comment)

    def _take_events(self, value: Value, comment: str) -> None:
        listener = self._context.resolved.listeners[self._program.section]
        self._set_computed(value, list(listener.events), comment)

    def _take_buffer_size(self, value: Value, comment: str) -> None:
        listener = self._context.resolved.listeners[self._program.section]
        self._set_computed(value, listener.buffer_size, comment)

    def _take_result_handler(self, value: Value, comment: str) -> None:
        if self._context.resolved.listeners[self._program.section].result_handler != DEFAULT_HANDLER:
            self._unsupported(value, "a listener's answer is OK or FAIL; nothing else can judge it")
