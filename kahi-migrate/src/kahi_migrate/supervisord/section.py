"""What the translations of all sections have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from kahi_migrate import draft
from kahi_migrate.draft import Table
from kahi_migrate.expression import Part, render
from kahi_migrate.supervisord import template
from kahi_migrate.supervisord.configuration import Value
from kahi_migrate.supervisord.context import Context, place_of, source_text
from kahi_migrate.supervisord.text import Inexpressible, Speaker
from kahi_migrate.supervisord.variables import Spoken, checked, speak


class SectionTranslation:
    """A section on its way into a table."""

    def __init__(self, context: Context, table: Table, speaker: Speaker) -> None:
        self._context = context
        self._draft = context.draft
        self._speaker = speaker
        self.table = table

    def _set(self, value: Value, written: draft.Value, comment: str, key: str = "") -> None:
        """Write a value that means the same, whatever the source refers to.

        Args:
            key: what Kahi calls the option, "" for what supervisord does.
        """
        self.table.set(key or value.setting.key, written, place_of(value), comment)

    def _set_computed(self, value: Value, computed: draft.Value, comment: str, key: str = "") -> None:
        """Write what supervisord reads a value as; what it referred to is fixed from now on."""
        self._context.warn_if_fixed(value, computed)
        self._set(value, computed, comment, key)

    def _say(self, value: Value, comment: str, shape: Callable[[str], str] = str) -> None:
        """Take over a text, with whatever it refers to."""
        self._say_parts(value, comment, lambda: self._speaker.parts(value.text), shape)

    def _say_path(self, value: Value, comment: str) -> None:
        """Take over a path in which a ``~`` at the begin means a home."""
        self._say_parts(value, comment, lambda: self._speaker.path_parts(value.text))

    def _say_parts(
        self, value: Value, comment: str, parts: Callable[[], list[Part]], shape: Callable[[str], str] = str
    ) -> None:
        try:
            text = render(parts())
        except Inexpressible as error:
            self._unsupported(value, str(error))
            return
        if any(isinstance(piece, template.Name) and not piece.name for piece in template.parse(value.text)):
            self._draft.warn(
                place_of(value),
                'supervisord puts a dump of all its variables in place of the lone "%s"; here it stays "%s"',
            )
        self._set(value, shape(text), comment)

    def _refers(self, value: Value) -> bool:
        """Whether a value refers to anything."""
        return any(isinstance(piece, template.Name) for piece in template.parse(value.text))

    def _unsupported(self, value: Value, reason: str) -> None:
        """Leave an option out."""
        self._draft.unsupported(self.table, place_of(value), source_text(value), reason)

    def _variables_of(
        self,
        value: Value,
        expected: Mapping[str, str] | None,
        names: Mapping[str, str | int],
        *,
        twice: bool = False,
    ) -> list[Spoken]:
        """The variables of an ``environment`` value; what can not be said is left out.

        Args:
            expected: what supervisord sets, None when it runs nothing.
            names: what the names are in Kahi.
            twice: supervisord expands the value two times.
        """
        try:
            spoken = speak(self._speaker, value.text, twice=twice)
        except Inexpressible as error:
            self._unsupported(value, f"{error}; environment_file = [...] can read them from a file")
            return []
        if expected is None:
            return spoken
        spoken, missing = checked(spoken, expected, names, self._context.environ_of_programs())
        for name in missing:
            reason = "its value depends on the content of variables"
            self._draft.unsupported(self.table, place_of(value), f"environment {name}", reason)
        return spoken
