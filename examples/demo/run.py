"""What `make demo` does: start the daemon on the demo's configuration, and say what to try."""

from __future__ import annotations

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent

HINTS = """\
Kahi supervises the programs of {config}
It stops everything in order on Ctrl-C. In a second terminal, in this directory:

  export KAHI_SOCKET={socket}
  http://127.0.0.1:{page}/             the web page; user demo, password demo
  {kahi} ctl status                  what runs; "broken" can not be started, and says why
  {kahi} ctl tail -f worker_0        what a worker prints, until Ctrl-C
  {kahi} ctl restart web 'worker_*'  new pids
  kill -9 PID                        ... of any of them: it is back at once
  curl http://127.0.0.1:{port}/         the supervised web server
  curl --unix-socket {socket} http://kahi/api/v1/processes
  {kahi} ctl shutdown

"""


def main() -> None:
    """Become the daemon."""
    environ = dict(os.environ)
    socket = environ.setdefault("KAHI_DEMO_SOCKET", str(HERE / "kahi.sock"))
    port = environ.setdefault("KAHI_DEMO_PORT", "8765")
    page = environ.setdefault("KAHI_DEMO_PAGE_PORT", "9876")
    environ.setdefault("KAHI_DEMO_PYTHON", sys.executable)
    kahi = Path(sys.executable).parent / "kahi"
    config = HERE / "kahi.toml"
    sys.stdout.write(
        HINTS.format(
            config=_short(config), socket=_short(Path(socket)), kahi=_short(kahi), port=port, page=page
        )
    )
    sys.stdout.flush()
    os.execve(kahi, ["kahi", "daemon", "--config", str(config)], environ)


def _short(path: Path) -> Path:
    """``path`` as seen from the working directory, where that is shorter."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


if __name__ == "__main__":
    main()
