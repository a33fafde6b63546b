"""The models behind the tables of a draft: what is known there, and what is the default."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from pydantic import BaseModel, ValidationError, create_model

from kahi.config.absent import PLUGIN_TABLES
from kahi.config.loading import PROGRAM_TABLES
from kahi.config.models import GroupModel, SupervisorSettings
from kahi.hookspecs import ConfigSection
from kahi_migrate.draft import Draft, Entry, Remark, Table

_OWN: Final[Mapping[str, type[BaseModel]]] = {"supervisor": SupervisorSettings}
_OWN_MANY: Final[Mapping[str, type[BaseModel]]] = {**PROGRAM_TABLES, "groups": GroupModel}


class Models:
    """The models of core and of the installed plugins."""

    def __init__(self, sections: Iterable[ConfigSection]) -> None:
        own = [section for section in sections if not section.in_program]
        self._single = {**_OWN, **{section.name: section.model for section in own if not section.many}}
        self._many = {**_OWN_MANY, **{section.name: section.model for section in own if section.many}}

    def is_missing(self, path: tuple[str, ...]) -> bool:
        """Whether a table belongs to an official plugin that is not installed here."""
        return path[0] in PLUGIN_TABLES and path[0] not in self._single and path[0] not in self._many

    def of(self, path: tuple[str, ...]) -> type[BaseModel] | None:
        """The model of a table, None when it has none (a table of variables, say)."""
        if path[0] in self._single:
            model, rest = self._single[path[0]], path[1:]
        elif path[0] in self._many:
            model, rest = self._many[path[0]], path[2:]
        else:
            return None
        for part in rest:
            field = model.model_fields.get(part)
            annotation = None if field is None else field.annotation
            if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
                return None
            model = annotation
        return model

    def is_default(self, table: Table, entry: Entry) -> bool:
        """Whether a key says what would hold without it."""
        model = self.of(table.path)
        field = None if model is None else model.model_fields.get(entry.key)
        if field is None or field.is_required():
            return False
        fields: dict[str, Any] = {entry.key: (field.annotation, field)}
        alone = create_model("Alone", **fields)
        try:
            found = alone.model_validate({entry.key: entry.value})
        except ValidationError:
            return False
        return getattr(found, entry.key) == field.get_default(call_default_factory=True)

    def drop_defaults(self, draft: Draft) -> None:
        """Leave out keys that say nothing, unless a comment belongs to them."""
        for table in draft.tables():
            self._drop(table)

    def _drop(self, table: Table) -> None:
        kept: list[Entry | Remark | Table] = []
        for item in table.items:
            if isinstance(item, Table):
                self._drop(item)
            elif isinstance(item, Entry) and not item.comment and self.is_default(table, item):
                above = kept[-1] if kept else None
                if not (isinstance(above, Remark) and above.text):
                    continue
            kept.append(item)
        table.items = kept
