"""What ``[fcgi-program:x]`` has beside what every program has."""

from __future__ import annotations

import pwd

from kahi_migrate.supervisord.configuration import Value
from kahi_migrate.supervisord.programs import ProgramTranslation


class FastCgiTranslation(ProgramTranslation):
    """A program with a socket."""

    def _take_socket(self, value: Value, comment: str) -> None:
        self._say(value, comment)

    def _take_socket_owner(self, value: Value, comment: str) -> None:
        self._say(value, comment)

    def _take_socket_mode(self, value: Value, comment: str) -> None:
        self._say(value, comment)

    def _take_socket_backlog(self, value: Value, comment: str) -> None:
        socket = self._context.resolved.sockets.get(self._program.section)
        if socket is not None and socket.backlog is not None:
            self._set_computed(value, socket.backlog, comment)

    def _complete(self) -> None:
        super()._complete()
        if self._program.section not in self._context.resolved.sockets:
            self._draft.warn(
                self._place,
                "supervisord forgets the socket of an fcgi-program that is in a group and gives it a pipe; "
                "here it gets its socket",
            )
        user = self._policy.user
        socket = self.table.get("socket")
        is_unix = socket is not None and str(socket.value).startswith("unix:")
        is_open = is_unix and self.table.get("socket_owner") is None
        if is_open and user is not None and user != self._context.resolved.daemon.user:
            said = self.table.get("user")
            self.table.set("socket_owner", _with_group(user, str(said.value) if said else user))


def _with_group(user: str, said: str) -> str:
    """Who gets a socket that is to belong to a program's user: supervisord gives it to its group too."""
    try:
        account = pwd.getpwuid(int(user)) if user.isdecimal() else pwd.getpwnam(user)
    except KeyError:
        return said
    return f"{said}:{account.pw_gid}"
