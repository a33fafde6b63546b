"""Whole supervisord configurations out of nothing, right ones and wrong ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hypothesis import strategies as st

Text = st.SearchStrategy[str]
ENVIRON = {
    "X": "value of x",
    "N": "2",
    "YES": "1",
    "PERCENT": "a%%b",
    "HOME": "/tmp",
    "PATH": "/usr/bin:/bin",
}


def joined(*words: str, least: int = 0, most: int = 4, by: str = "") -> Text:
    """Some of the words, in any order."""
    return st.lists(st.sampled_from(words), min_size=least, max_size=most).map(by.join)


TEXT = joined(
    *(
        "/bin/x",
        "a b",
        "%(program_name)s",
        "%(ENV_X)s",
        "%%",
        "%(here)s",
        "%(host_node_name)s",
        " ;c",
        " # c",
    ),
    *("%(group_name)s-%(numprocs)d", "\n  more", "'q u'", '"dq"', "%(process_num)s", "$x ${Y} $$", "{", "*"),
    least=1,
)
PATH = st.one_of(
    joined("a", "%(process_num)d", "%(program_name)s", ".log", "%%%%").map("logs/{}".format),
    st.sampled_from(["AUTO", "none", "syslog", "/dev/stdout", "logs/a", "logs/b", "~/x"]),
)
BOOLEAN = st.sampled_from(["true", "no", "ON", "0", "%(ENV_YES)s", "1 ; c"])
INTEGER = st.sampled_from(["1", "0", "-1", "5", "%(ENV_N)s", "1_0", " 7 ", "1000"])
SIZE = st.sampled_from(["1MB", "5kb", "0", "10", "-1", "2 GB", "%(ENV_N)sMB"])
VARIABLES = joined(
    *('A="1"', "B=x", "D=%(ENV_X)s", "E='a,b'", '\n  J="2"', "G=a b", 'H="%(ENV_PERCENT)s"', 'L="it\'s"'),
    'K="$x ${y} %%"',
    by=",",
)
OWN_VARIABLES = st.one_of(
    VARIABLES, joined('C="%(process_num)d"', 'I="%(program_name)s"', "M=%(ENV_X)s", by=",", least=1)
)
OPTIONS: Mapping[str, Text] = {
    "command": TEXT,
    "process_name": st.sampled_from(["%(program_name)s_%(process_num)02d", "%(process_num)s"]),
    "numprocs": st.sampled_from(["1", "2", "3", "0"]),
    "numprocs_start": INTEGER,
    "priority": INTEGER,
    "autostart": BOOLEAN,
    "autorestart": st.one_of(BOOLEAN, st.just("unexpected")),
    "startsecs": INTEGER,
    "startretries": INTEGER,
    "stopsignal": st.sampled_from(["TERM", "SIGHUP", "9", "0", "int", "%(ENV_N)s"]),
    "stopwaitsecs": INTEGER,
    "stopasgroup": BOOLEAN,
    "exitcodes": st.sampled_from(["0", "0,2", ""]),
    "redirect_stderr": BOOLEAN,
    "stdout_logfile": PATH,
    "stderr_logfile": PATH,
    "stdout_logfile_maxbytes": SIZE,
    "stderr_logfile_backups": INTEGER,
    "stdout_capture_maxbytes": SIZE,
    "stderr_events_enabled": BOOLEAN,
    "stdout_syslog": BOOLEAN,
    "environment": OWN_VARIABLES,
    "directory": TEXT,
    "user": st.sampled_from(["root", "0"]),
    "umask": st.sampled_from(["022", "0o7", "%(ENV_N)s2"]),
    "serverurl": st.sampled_from(["AUTO", "auto ", "http://x", "NONE"]),
    "foo": TEXT,
}
WRONG: Mapping[str, Text] = {
    "command": st.sampled_from(["%", "%(nothing)s", "%(process_num)q"]),
    "process_name": st.sampled_from(["x", "a b", "a:b"]),
    "numprocs": st.sampled_from(["x", "%(process_num)d"]),
    "priority": st.sampled_from(["", "2.5", "%(process_num)d"]),
    "autostart": st.sampled_from(["maybe", ""]),
    "stopsignal": st.just("FOO"),
    "exitcodes": st.sampled_from(["1,", "256"]),
    "stdout_logfile_maxbytes": st.sampled_from(["1K", "1.5MB"]),
    "stdout_logfile": st.just("logs/%%"),
    "environment": st.sampled_from(["A=", "A=a=b", "A=1,,B=2", "A='"]),
    "umask": st.just("8"),
    "user": st.just(""),
}


@st.composite
def section(
    draw: st.DrawFn, names: Text, options: Mapping[str, Text], required: Mapping[str, Text], *, wrong: bool
) -> str:
    """One section; ``wrong``: one of its values may be such that supervisord refuses it."""
    chosen = draw(st.lists(st.sampled_from(sorted(options)), max_size=6, unique=True))
    lines = [f"[{draw(names)}]", *(f"{key}={draw(value)}" for key, value in required.items())]
    if "numprocs" in chosen and "process_name" not in chosen:
        lines.append("process_name=%(program_name)s_%(process_num)02d")
    delimiter = draw(st.sampled_from(["=", " = ", ": "]))
    lines += [f"{key}{delimiter}{draw(options[key])}" for key in chosen]
    mistakes = sorted(WRONG.keys() & options.keys())
    if wrong and mistakes and draw(st.integers(0, 3)) == 0:
        key = draw(st.sampled_from(mistakes))
        lines.append(f"{key}={draw(WRONG[key])}")
    return "\n".join(lines)


def _without(*keys: str) -> Mapping[str, Text]:
    return {key: value for key, value in OPTIONS.items() if key not in keys}


@dataclass(frozen=True, slots=True)
class Files:
    """A main file and one that it may include."""

    main: str
    included: str

    def write(self, directory: Path) -> Path:
        """Write both; returns the main file."""
        (directory / "logs").mkdir(exist_ok=True)
        (directory / "conf.d").mkdir(exist_ok=True)
        (directory / "conf.d" / "x.conf").write_text(self.included, encoding="utf-8")
        path = directory / "supervisord.conf"
        path.write_text(self.main, encoding="utf-8")
        return path


@st.composite
def configurations(draw: st.DrawFn, *, wrong: bool) -> Files:
    """Whole configurations, with everything that a section can do to another."""
    command = {"command": TEXT}
    programs = section(
        st.sampled_from(["program:a", "program:b", "program:c", "program: a", "program:x*y"]),
        OPTIONS,
        command,
        wrong=wrong,
    )
    others = st.one_of(
        section(
            st.sampled_from(["eventlistener:a", "eventlistener:l"]),
            _without("redirect_stderr"),
            {**command, "events": st.sampled_from(["TICK_5", "tick_60, PROCESS_STATE"])},
            wrong=wrong,
        ),
        section(
            st.sampled_from(["fcgi-program:f", "fcgi-program:a"]),
            OPTIONS,
            {**command, "socket": st.sampled_from(["unix:///tmp/%(program_name)s", "tcp://localhost:9"])},
            wrong=wrong,
        ),
        section(
            st.sampled_from(["group:a", "group:g", "group:h"]),
            {"priority": INTEGER},
            {"programs": st.sampled_from(["a", "a,b", "", "a,a", *(["z", "a,"] if wrong else [])])},
            wrong=wrong,
        ),
        section(
            st.just("DEFAULT"),
            _without("environment", "user", "numprocs", "redirect_stderr", "directory"),
            {},
            wrong=wrong,
        ),
    )
    daemon = section(
        st.just("supervisord"),
        {
            "minfds": INTEGER,
            "umask": st.just("022"),
            "loglevel": st.sampled_from(["info", "WARN"]),
            "nodaemon": BOOLEAN,
            "environment": VARIABLES,
            "logfile_maxbytes": SIZE,
            "strip_ansi": BOOLEAN,
        },
        {},
        wrong=False,
    )
    more = st.sampled_from(
        [
            "",
            "[include]\nfiles=conf.d/*.conf",
            "[rpcinterface:x]\nsupervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface",
            "[unix_http_server]\nfile=%(here)s/x ",
            "[inet_http_server]\nport=*:9001" + ("\nusername=a" if wrong else ""),
        ]
    )
    parts = [*draw(st.lists(st.one_of(programs, programs, others), max_size=4)), draw(more), draw(more)]
    parts.insert(draw(st.sampled_from([0, len(parts)])), draw(daemon))
    included = draw(st.lists(st.one_of(programs, others), max_size=2))
    return Files("\n\n".join(parts) + "\n", "\n\n".join(included) + "\n")
