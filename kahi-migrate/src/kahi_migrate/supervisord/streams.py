"""The options of stdout and stderr."""

from __future__ import annotations

from kahi_migrate.draft import Table
from kahi_migrate.expression import Part, render
from kahi_migrate.supervisord import values
from kahi_migrate.supervisord.configuration import Value
from kahi_migrate.supervisord.context import Context, place_of
from kahi_migrate.supervisord.logs import DEVICES, Plan
from kahi_migrate.supervisord.resolved import Log, Program
from kahi_migrate.supervisord.section import SectionTranslation
from kahi_migrate.supervisord.text import Speaker

NOWHERE = "/dev/null"


class StreamTranslation(SectionTranslation):
    """One stream of a program on its way into the program's table."""

    def __init__(
        self,
        context: Context,
        table: Table,
        speaker: Speaker,
        program: Program,
        stream: str,
        plan: Plan | None,
    ) -> None:
        super().__init__(context, table, speaker)
        self._program = program
        self._stream = stream
        self._plan = plan or Plan()
        self._is_protocol = program.kind == "eventlistener" and stream == "stdout"
        self.is_joined = stream == "stderr" and (program.policy.redirect_stderr or self._plan.merged)
        """Whether it goes where stdout goes."""

    @property
    def _log(self) -> Log:
        """That of the first process."""
        if not self._program.processes:
            return Log(values.AUTO, 50 * 1024**2, 10)
        process = self._program.processes[0]
        return process.stdout if self._stream == "stdout" else process.stderr

    def take(self, value: Value, comment: str) -> None:
        """Translate one option."""
        option = value.setting.key.partition("_")[2]
        log = self._log
        if self._is_protocol:
            self._take_protocol(value, option)
        elif self.is_joined:
            self._take_joined(value, option, comment)
        elif option == "logfile":
            self._take_logfile(value, comment)
        elif option == "logfile_maxbytes" and self._goes_to_file():
            self._set_computed(value, size(log.maxbytes), comment)
        elif option == "logfile_backups" and self._goes_to_file():
            self._set_computed(value, max(0, log.backups), comment)
        elif option == "capture_maxbytes":
            self._set_computed(value, size(log.capture_maxbytes), comment)
        elif option == "events_enabled":
            self._set_computed(value, log.events_enabled, comment)
        elif option == "syslog":
            self._set_computed(value, log.syslog, comment)

    def complete(self) -> None:
        """Say what supervisord does by default."""
        key = f"{self._stream}_logfile"
        if self._is_protocol or self.is_joined or self._context.configuration.get(self._program.section, key):
            return
        self.table.set(key, values.AUTO)

    def _goes_to_file(self) -> bool:
        path = self._log.path
        return path is not None and path not in DEVICES

    def _take_protocol(self, value: Value, option: str) -> None:
        log = self._log
        said = {
            "logfile": log.path not in (None, values.AUTO, NOWHERE),
            "capture_maxbytes": log.capture_maxbytes > 0,
            "events_enabled": log.events_enabled,
            "syslog": log.syslog,
        }
        if said.get(option):
            self._unsupported(value, "the stdout of a listener is its protocol and goes nowhere else")

    def _take_joined(self, value: Value, option: str, comment: str) -> None:
        if option != "logfile":
            return
        if self._plan.merged:
            self._set(value, True, comment, key="redirect_stderr")
        elif values.log_name(value.text) not in (None, values.AUTO, ""):
            self._draft.warn(
                place_of(value), "left out: supervisord ignores it, because redirect_stderr is true"
            )

    def _take_logfile(self, value: Value, comment: str) -> None:
        path = self._log.path
        if path is not None and path != values.AUTO and path not in DEVICES:
            self._say_parts(value, comment, lambda: self._path_parts(value))
            return
        word = NOWHERE if path is None else DEVICES.get(path, path)
        self._set_computed(value, word, comment)
        if self._log.syslog and value.text.strip().lower() == "syslog":
            self._set(value, True, "", key=f"{self._stream}_syslog")

    def _path_parts(self, value: Value) -> list[Part]:
        parts = self._speaker.path_parts(value.text, twice=True)
        if self._plan.insertion is None:
            return parts
        parts = self._plan.insertion.into(parts)
        self._draft.warn(
            place_of(value),
            f"{self._plan.shared_with} writes to the same file, which Kahi refuses, as rotation would "
            f"garble it; here it is {render(parts)}",
        )
        return parts


def size(number: int) -> int | str:
    """A size as a person writes it."""
    for unit, factor in (("GB", 1024**3), ("MB", 1024**2), ("KB", 1024)):
        if number >= factor and number % factor == 0:
            return f"{number // factor}{unit}"
    return max(0, number)
