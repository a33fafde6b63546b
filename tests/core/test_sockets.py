"""The control socket: bound with its final mode, never in place of something alive."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from kahi.sockets import SocketRefused, listen_unix


def test_mode_and_cleaning_up(short_tmp: Path) -> None:
    path = short_tmp / "s"
    listener = listen_unix(str(path), 0o600)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
    listener.close()
    assert os.listdir(short_tmp) == []


@pytest.mark.fault("S4")
def test_there_is_no_moment_with_a_wider_mode(short_tmp: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = short_tmp / "s"
    seen: list[int] = []

    class Watched(socket.socket):
        def bind(self, address: object) -> None:
            super().bind(address)  # type: ignore[arg-type]
            seen.append(stat.S_IMODE(path.stat().st_mode))

    monkeypatch.setattr(socket, "socket", Watched)
    listen_unix(str(path), 0o700).close()
    assert seen == [0o700]


@pytest.mark.fault("S2")
def test_a_second_daemon_is_refused(short_tmp: Path) -> None:
    first = listen_unix(str(short_tmp / "s"), 0o700)
    with pytest.raises(SocketRefused, match=f"another daemon with pid {os.getpid()} uses it"):
        listen_unix(str(short_tmp / "s"), 0o700)
    first.close()


@pytest.mark.fault("S2")
def test_a_stale_socket_is_replaced(short_tmp: Path) -> None:
    path = short_tmp / "s"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    listener = listen_unix(str(path), 0o700)
    with socket.socket(socket.AF_UNIX) as client:
        assert client.connect_ex(str(path)) == 0
    listener.close()
    assert not path.exists()


@pytest.mark.fault("S2")
def test_a_live_stranger_is_refused(short_tmp: Path) -> None:
    path = short_tmp / "s"
    with socket.socket(socket.AF_UNIX) as stranger:
        stranger.bind(str(path))
        stranger.listen()
        with pytest.raises(SocketRefused, match="somebody else answers"):
            listen_unix(str(path), 0o700)
    assert path.exists()


@pytest.mark.fault("S4")
@pytest.mark.parametrize(("kind", "reason"), [("file", "no socket"), ("link", "a symbolic link")])
def test_what_is_no_socket_stays(short_tmp: Path, kind: str, reason: str) -> None:
    path = short_tmp / "s"
    if kind == "file":
        path.write_text("precious")
    else:
        path.symlink_to(short_tmp / "elsewhere")
    with pytest.raises(SocketRefused, match=reason):
        listen_unix(str(path), 0o700)
    assert os.path.lexists(path)


def test_only_the_own_socket_is_removed(short_tmp: Path) -> None:
    path = short_tmp / "s"
    listener = listen_unix(str(path), 0o700)
    path.unlink()
    path.write_text("somebody else's")
    listener.close()
    assert path.read_text() == "somebody else's"


@pytest.mark.fault("S4")
def test_a_directory_that_is_not_there(short_tmp: Path) -> None:
    with pytest.raises(SocketRefused, match="No such file or directory"):
        listen_unix(str(short_tmp / "none" / "s"), 0o700)
