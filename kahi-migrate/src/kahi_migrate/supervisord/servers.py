"""``[unix_http_server]`` and ``[inet_http_server]`` on their way into ``[server]``."""

from __future__ import annotations

from typing import Final

from kahi_migrate.draft import Table
from kahi_migrate.supervisord.configuration import Value
from kahi_migrate.supervisord.context import Context, fill
from kahi_migrate.supervisord.layout import Section
from kahi_migrate.supervisord.resolved import Server
from kahi_migrate.supervisord.section import SectionTranslation
from kahi_migrate.supervisord.text import Speaker

ANY_ADDRESS: Final = "0.0.0.0"  # noqa: S104 - what the source says
ENABLE: Final = "true once there is a password"
HASH: Final = "the hash that `kahi hash-password` prints"


def translate_server(context: Context, server: Server, sections: list[Section]) -> None:
    """Fill ``[server.unix]`` or ``[server.http]``."""
    speaker = context.speaker()
    # Kahi knows the variables of [supervisor.environment] in programs only.
    speaker.own = {key: [text] for key, text in context.resolved.daemon.environment.items()}
    place = context.section_place(server.section)
    table = context.draft.table("server", "unix" if server.file else "http", place=place)
    if server.file:
        unix = _Unix(context, server, table, speaker)
        fill(context, table, sections, unix.take)
        unix.let_others_in()
        return
    table.set("enabled", False, place, ENABLE)
    fill(context, table, sections, _Http(context, server, table, speaker).take)
    if server.password is None:
        table.set("username", "admin", place)
        table.set("password", "", place, HASH)
        message = "lets everybody in, which Kahi does not: set a user name and a password"
    else:
        message = "the password is not carried over: supervisord keeps it readable, Kahi wants its hash"
    context.draft.warn(
        place,
        f"{message}; put what `kahi hash-password` prints into [server.http] password and set enabled = true",
    )


class _Translation(SectionTranslation):
    def __init__(self, context: Context, server: Server, table: Table, speaker: Speaker) -> None:
        super().__init__(context, table, speaker)
        self._server = server


class _Http(_Translation):
    def take(self, value: Value, comment: str) -> None:
        """Translate one option."""
        match value.setting.key:
            case "port":
                listen = f"{self._server.host or ANY_ADDRESS}:{self._server.port}"
                self._set_computed(value, listen, comment, key="listen")
            case "username":
                self._say(value, comment)
            case _:
                self._set(value, "", HASH)


class _Unix(_Translation):
    def take(self, value: Value, comment: str) -> None:
        """Translate one option."""
        match value.setting.key:
            case "file":
                self._say_path(value, comment)
            case "chown":
                self._say(value, comment)
            case "chmod":
                self._set_computed(value, f"{self._server.chmod:04o}", comment)
            case _:
                self._unsupported(value, "on a Unix socket, Kahi asks the system who connects")

    def let_others_in(self) -> None:
        """Whom Kahi lets in is a matter of names as well, not of the mode of the socket alone."""
        user, _, group = (self._server.chown or "").partition(":")
        if user and user not in ("root", "0", self._context.resolved.daemon.user):
            self.table.set("allow_users", [user])
        if self._server.chmod & 0o070 and group:
            self.table.set("allow_groups", [group])
        if self._server.chmod & 0o007:
            self._context.draft.warn(
                self.table.place,
                "lets every user of this machine in; Kahi lets in root, the daemon's user and those in "
                "[server.unix] allow_users and allow_groups",
            )
