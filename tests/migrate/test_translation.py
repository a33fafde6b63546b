"""What becomes of each section and option, and what is said about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.migrate.migrating import ENVIRON, HEAD, migrated


def only(found: list[str]) -> str:
    """The only element."""
    assert len(found) == 1, found
    return found[0]


def test_a_whole_file_looks_like_written_by_hand(tmp_path: Path) -> None:
    found = migrated(
        tmp_path,
        """\
        ; The shop.

        [unix_http_server]
        file = /run/shop/control.sock  ; for supervisorctl

        [supervisord]
        nodaemon = true
        logfile = /dev/null
        logfile_maxbytes = 0
        environment = LANG="C.UTF-8"

        ; What answers requests:
        ; three of them.
        [program:web]
        command = gunicorn shop.wsgi
            --workers 3
            ; until there is a proxy
            --bind 0.0.0.0:80%(process_num)02d
        process_name = %(program_name)s_%(process_num)02d
        numprocs = 3
        directory = %(here)s/app
        user = www-data
        autostart = true
        autorestart = true
        stopsignal = QUIT
        redirect_stderr = true
        stdout_logfile = %(here)s/web-%(process_num)d.log
        stdout_logfile_maxbytes = 10MB
        stdout_logfile_backups = 10
        environment = DJANGO_SETTINGS_MODULE="shop.settings",GREETING="%(ENV_GREETING)s, 100%%",
            ; ours comes first
            PATH="%(here)s/bin:%(ENV_PATH)s",  ; then the system's
            PORT="80%(process_num)02d"

        [program:mail]
        command = python -m mail "%%s"
        startsecs = 5
        stdout_logfile = NONE
        stderr_logfile = /var/log/mail.err

        [group:shop]
        programs = web, mail
        priority = 50
        ; the end
        """,
    )
    assert found.text == (
        """\
# The shop.

[server.unix]
file = "/run/shop/control.sock"  # for supervisorctl

[supervisor]
environment = { LANG = "C.UTF-8" }
log_format = "text"
umask = ""

# What answers requests:
# three of them.
[programs.web]
# until there is a proxy
command = "gunicorn shop.wsgi --workers 3 --bind 0.0.0.0:80%(process_num)02d"
process_name = "%(program_name)s_%(process_num)02d"
numprocs = 3
directory = "%(here)s/app"
user = "www-data"
autorestart = true
stopsignal = "QUIT"
redirect_stderr = true
stdout_logfile = "%(here)s/web-%(process_num)d.log"
stdout_logfile_maxbytes = "10MB"
inherit_environment = true

[programs.web.environment]
DJANGO_SETTINGS_MODULE = "shop.settings"
GREETING = "${GREETING}, 100%"
# ours comes first
PATH = "%(here)s/bin:${PATH}"  # then the system's
PORT = "80%(process_num)02d"

[programs.mail]
command = 'python -m mail "%s"'
startsecs = 5
stdout_logfile = "/dev/null"
stderr_logfile = "/var/log/mail.err"

[groups.shop]
programs = ["web", "mail"]
priority = 50
# the end
"""
    )
    assert not found.warnings
    assert not found.notes


PROGRAM_VALUES: list[tuple[str, dict[str, object]]] = [
    ("autorestart = FALSE", {"autorestart": False}),
    ("autorestart = unexpected", {}),
    ("exitcodes = 0, 2", {"exitcodes": [0, 2]}),
    ("exitcodes =", {"exitcodes": []}),
    ("exitcodes = 0", {}),
    ("stopsignal = sigusr1", {"stopsignal": "USR1"}),
    ("stopsignal = 9", {"stopsignal": "KILL"}),
    ("stopsignal = TERM", {}),
    ("stopasgroup = yes", {"stopasgroup": True}),
    ("killasgroup = yes", {"killasgroup": True}),
    ("killasgroup = no", {}),
    ("startretries = -1", {"startretries": 0}),
    ("stopwaitsecs = -5", {"stopwaitsecs": 0}),
    ("priority = 0", {"priority": 0}),
    ("umask = 0o7", {"umask": "007"}),
    ("umask = 002", {"umask": "002"}),
    ("stderr_logfile_maxbytes = 5kb", {"stderr_logfile_maxbytes": "5KB"}),
    ("stderr_logfile_maxbytes = 1000", {"stderr_logfile_maxbytes": 1000}),
    ("stderr_logfile_maxbytes = -1", {"stderr_logfile_maxbytes": 0}),
    ("stderr_logfile_maxbytes = 52428800", {}),
    ("stderr_logfile_backups = 0", {"stderr_logfile_backups": 0}),
    ("stderr_logfile = none", {"stderr_logfile": "/dev/null"}),
    ("stderr_logfile =", {"stderr_logfile": "/dev/null"}),
    ("stderr_logfile = auto", {"stderr_logfile": "AUTO"}),
    ("stderr_logfile = /dev/fd/2", {"stderr_logfile": "/dev/stderr"}),
    ("stderr_logfile = /proc/self/fd/1", {"stderr_logfile": "/dev/stdout"}),
    ("stderr_logfile = ~/x.log", {"stderr_logfile": "${HOME}/x.log"}),
    ("stderr_logfile = /x/100%%%%.log", {"stderr_logfile": "/x/100%.log"}),
    ("stderr_logfile = syslog", {"stderr_logfile": "/dev/null", "stderr_syslog": True}),
    ("stderr_syslog = true", {"stderr_syslog": True}),
    ("stderr_events_enabled = on", {"stderr_events_enabled": True}),
    ("stderr_capture_maxbytes = 1MB", {"stderr_capture_maxbytes": "1MB"}),
    ("directory = /srv/%(ENV_GREETING)s", {"directory": "/srv/${GREETING}"}),
    ("directory = ~", {"directory": "~"}),
    ("directory = /%%(x)s/$${Y}/$Z", {"directory": "/%%(x)s/$$$${Y}/$Z"}),
    ("directory = /%(host_node_name)s", {"directory": "/%(host_node_name)s"}),
    ("directory = /%(group_name)-8s/%(numprocs)ld", {"directory": "/%(group_name)-8s/%(numprocs)d"}),
    ("serverurl = http://x:1", {"environment": {"SUPERVISOR_SERVER_URL": "http://x:1"}}),
    ("serverurl = AUTO", {}),
    ("umask = %(ENV_NUMBER)s2", {"umask": "${NUMBER}2"}),
    ("environment = A=1", {"environment": {"A": "1"}}),
    ("environment = %(program_name)s_X=1", {"environment": {"web_X": "1"}}),
    ("environment = A=%(ENV_GREETING)s", {"environment": {"A": "good"}}),
]


@pytest.mark.parametrize(("line", "expected"), PROGRAM_VALUES, ids=[line for line, _ in PROGRAM_VALUES])
def test_options_of_programs(line: str, expected: dict[str, object], tmp_path: Path) -> None:
    found = migrated(tmp_path, f"{HEAD}[program:web]\ncommand = /bin/cat\nstdout_logfile = NONE\n{line}\n")
    table = found.program()
    if "A=%(ENV" in line:
        # Where the value ends depends on what is in the variable: a reference would get all of it.
        assert "environment" not in table
        assert "its value depends on the content of variables" in only(found.warnings)
        return
    base = {"command": "/bin/cat", "stdout_logfile": "/dev/null"}
    if "stderr_logfile" not in expected:
        base["stderr_logfile"] = "AUTO"
    assert table == base | expected


DAEMON_VALUES: list[tuple[str, dict[str, object]]] = [
    ("logfile = /var/log/x.log", {"logfile": "/var/log/x.log"}),
    ("logfile = /dev/stdout\nlogfile_maxbytes = 0", {}),
    ("logfile = /dev/null", {}),
    ("logfile = /dev/null\nsilent = true", {"logfile": "/dev/null"}),
    ("silent = true", {"logfile": "supervisord.log"}),
    ("logfile = ~/x.log", {"logfile": "${HOME}/x.log"}),
    ("logfile = /x.log\nlogfile_maxbytes = 1GB", {"logfile": "/x.log", "logfile_maxbytes": "1GB"}),
    ("loglevel = blather", {"log_level": "debug"}),
    ("loglevel = CRITICAL", {"log_level": "error"}),
    ("loglevel = info", {}),
    ("pidfile = %(here)s/pid", {"pidfile": "%(here)s/pid"}),
    ("user = www-data", {"user": "www-data"}),
    ("minfds = 4096", {"minfds": 4096}),
    ("minprocs = 0", {"minprocs": 1}),
    ("nocleanup = true", {"nocleanup": True}),
    ("childlogdir = /var/log", {"childlogdir": "/var/log"}),
    ("identifier = shop", {"identifier": "shop"}),
    ('environment = A="%%(ENV_GREETING)s"', {"environment": {"A": "${GREETING}"}}),
]


@pytest.mark.parametrize(("lines", "expected"), DAEMON_VALUES, ids=[lines for lines, _ in DAEMON_VALUES])
def test_options_of_the_daemon(lines: str, expected: dict[str, object], tmp_path: Path) -> None:
    found = migrated(tmp_path, f"{HEAD}{lines}\n")
    assert found.table["supervisor"] == {"log_format": "text", "umask": ""} | expected
    assert not found.warnings


def test_a_daemon_in_the_background_keeps_its_files(tmp_path: Path) -> None:
    found = migrated(tmp_path, "[supervisord]\numask = 027\ndirectory = /srv\n")
    assert found.table["supervisor"] == {
        "umask": "027",
        "directory": "/srv",
        "log_format": "text",
        "logfile": "supervisord.log",
        "pidfile": "supervisord.pid",
    }
    assert "say kahi daemon -d" in only(found.notes)


def test_what_supervisord_ignores_in_the_foreground_is_left_out(tmp_path: Path) -> None:
    found = migrated(tmp_path, f"{HEAD}umask = 027\ndirectory = /srv\n")
    assert found.table["supervisor"] == {"log_format": "text", "umask": ""}
    assert "# unsupported: umask = 027 (supervisord ignores it as well while nodaemon is true)" in found.text
    assert [line.partition(": ")[0] for line in found.warnings] == [
        "supervisord.conf:3",
        "supervisord.conf:4",
    ]


def test_strip_ansi_moves_to_programs(tmp_path: Path) -> None:
    found = migrated(tmp_path, f"{HEAD}strip_ansi = true\n[program:web]\ncommand = x\n")
    assert found.program()["strip_ansi"] is True


def test_a_log_in_syslog_is_said(tmp_path: Path) -> None:
    found = migrated(tmp_path, f"{HEAD}logfile = syslog\n")
    assert "logfile" not in found.table["supervisor"]
    assert only(found.warnings).startswith(
        "supervisord.conf:3: [supervisord] logfile: left out: Kahi does not"
    )


# What stands in one section and counts in another


def test_variables_of_the_program_itself_are_put_in(tmp_path: Path) -> None:
    found = migrated(
        tmp_path,
        f"""{HEAD}environment = BASE="/srv"
[program:web]
command = x --port %(ENV_PORT)s --base %(ENV_BASE)s
process_name = web-%(ENV_PORT)s
environment = PORT="80%(process_num)02d"
""",
    )
    table = found.program()
    assert table["command"] == "x --port 80%(process_num)02d --base ${BASE}"
    assert table["process_name"] == "web-80%(process_num)02d"
    assert not found.warnings


def test_defaults_are_written_out(tmp_path: Path) -> None:
    found = migrated(
        tmp_path,
        f"""\
; for all
[DEFAULT]
autorestart = true
user = www-data
{HEAD}
[program:web]
command = x
[program:api]
command = y
autorestart = false
""",
    )
    assert found.text.startswith("# for all\n")
    assert found.table["supervisor"]["user"] == "www-data"
    assert found.program()["autorestart"] is True
    assert found.program("api")["autorestart"] is False
    assert "inherit_environment" not in found.program()
    assert only(found.notes).startswith("supervisord.conf:2: [DEFAULT]: Kahi has no defaults for all tables")


def test_included_files_become_part_of_the_result(tmp_path: Path) -> None:
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "api.ini").write_text(
        "; ours\n[program:api]\ncommand = %(here)s/run\n[program:web]\nstartsecs = 3\n"
    )
    found = migrated(
        tmp_path, f"{HEAD}[include]\nfiles = conf.d/*.ini none/*.ini\n[program:web]\ncommand = %(here)s/run\n"
    )
    assert found.program("api")["command"] == "%(here)s/conf.d/run"
    assert found.program()["command"] == "%(here)s/run"
    assert found.program()["startsecs"] == 3
    assert "# From conf.d/api.ini\n\n# ours\n[programs.api]" in found.text
    assert "supervisord joins the two without a word" in "".join(found.warnings)
    assert "'none/*.ini' matches no file" in "".join(found.warnings)
    assert "files that come later are not read" in only(found.notes)


def test_an_unreadable_included_file_is_skipped_with_a_word(tmp_path: Path) -> None:
    (tmp_path / "x.d").mkdir()
    found = migrated(tmp_path, f"{HEAD}[include]\nfiles = *.d\n")
    assert "x.d: is not a regular file; supervisord skips it without a word" in only(found.warnings)


def test_here_is_written_out_for_a_result_elsewhere(tmp_path: Path) -> None:
    from kahi_migrate.migration import migrate
    from tests.migrate.migrating import all_plugins, write_source

    path = write_source(tmp_path, f"{HEAD}[program:web]\ncommand = %(here)s/run\n")
    for output, expected in (
        (tmp_path / "kahi.toml", "%(here)s/run"),
        (tmp_path.parent / "kahi.toml", f"%(here)s/{tmp_path.name}/run"),
        (tmp_path / "etc" / "kahi.toml", f"{tmp_path}/run"),
    ):
        done = migrate(str(path), all_plugins(), ENVIRON, output=str(output), source_format="supervisord")
        assert f'command = "{expected}"' in done.text


# Names


def test_names_that_kahi_does_not_allow(tmp_path: Path) -> None:
    found = migrated(
        tmp_path,
        f"{HEAD}[program:a*b]\ncommand = %(program_name)s\n[program:all]\ncommand = x\n[program:]\ncommand = y\n",
    )
    programs = found.table["programs"]
    assert set(programs) == {"a-b", "all_", "unnamed"}
    assert programs["a-b"]["command"] == "a*b"
    assert "is called 'a-b' in Kahi" in found.warnings[0]


def test_a_program_in_two_groups_becomes_two(tmp_path: Path) -> None:
    found = migrated(
        tmp_path,
        f"{HEAD}[program:p]\ncommand = x %(group_name)s\n; once\nuser = root\n"
        "[group:one]\nprograms = p\n[group:two]\nprograms = p\n",
    )
    assert found.table["groups"] == {"one": {"programs": ["p"]}, "two": {"programs": ["two-p"]}}
    assert found.program("two-p")["process_name"] == "two-p-p"
    assert found.text.count("# once") == 1
    assert "is in group 'one' as well" in found.warnings[0]
    assert "its processes are called two-p-… in Kahi" in found.warnings[1] + found.warnings[2]


def test_a_program_that_is_named_like_another_group_keeps_its_process_name(tmp_path: Path) -> None:
    found = migrated(
        tmp_path,
        f"{HEAD}[program:p]\ncommand = x\n[program:q]\ncommand = x\n[group:p]\nprograms = q\n[group:g]\nprograms = p\n",
    )
    assert found.table["groups"] == {"p": {"programs": ["q"]}, "g": {"programs": ["g-p"]}}
    assert found.program("g-p")["process_name"] == "p"


def test_what_supervisord_drops_because_of_its_name_becomes_a_comment(tmp_path: Path) -> None:
    found = migrated(
        tmp_path,
        f"{HEAD}[program:p]\ncommand = x\npriority = 2\n[eventlistener:p]\ncommand = y\nevents = EVENT\n",
    )
    assert "programs" not in found.table
    assert set(found.table["eventlisteners"]) == {"p"}
    reason = "supervisord never runs it: [eventlistener:p] has the name of its group"
    assert f"# unsupported: [program:p] ({reason})\n# command = x\n# priority = 2\n" in found.text
    assert only(found.warnings) == f"supervisord.conf:3: [program:p]: left out: {reason}"


# Logs


def test_stderr_in_the_file_of_stdout_is_joined(tmp_path: Path) -> None:
    found = migrated(
        tmp_path, f"{HEAD}[program:web]\ncommand = x\nstdout_logfile = /x.log\nstderr_logfile = /x.log\n"
    )
    assert found.program() == {"command": "x", "stdout_logfile": "/x.log", "redirect_stderr": True}
    assert not found.warnings


def test_logs_that_are_shared_get_names_of_their_own(tmp_path: Path) -> None:
    found = migrated(
        tmp_path,
        f"""{HEAD}
[program:a]
command = x
process_name = %(process_num)d
numprocs = 2
redirect_stderr = true
stdout_logfile = /x/shared.log
[program:b]
command = x
redirect_stderr = true
stdout_logfile = /x/shared.log
[program:c]
command = x
redirect_stderr = true
stdout_logfile = /x/shared.log
""",
    )
    logs = [found.program(name)["stdout_logfile"] for name in "abc"]
    assert logs == ["/x/shared_%(process_num)d.log", "/x/shared.log", "/x/shared-c.log"]
    assert "every process of a writes to the same file" in found.warnings[0]
    assert "the stdout of b writes to the same file" in found.warnings[1]
    assert "here it is /x/shared-c.log" in found.warnings[1]


def test_a_log_that_is_ignored_is_said(tmp_path: Path) -> None:
    found = migrated(
        tmp_path, f"{HEAD}[program:web]\ncommand = x\nredirect_stderr = true\nstderr_logfile = /x.log\n"
    )
    assert "stderr_logfile" not in found.program()
    assert "supervisord ignores it, because redirect_stderr is true" in only(found.warnings)


# Values that are not what they seem


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("command = sh -c 'a ; b'", ""),
        ("command = curl http://x/ #frag", "curl http://x/"),
        ("command = x ; a comment", "x"),
        ("command = x a;b c#d", "x a;b c#d"),
    ],
)
def test_values_that_a_comment_cuts(line: str, value: str, tmp_path: Path) -> None:
    found = migrated(tmp_path, f"{HEAD}[program:web]\n{line}\n")
    if not value:
        assert "programs" not in found.table
        assert "# unsupported: supervisord cannot run its command either: no closing quotation" in found.text
        assert "ends where a comment begins, inside of quotes" in found.warnings[1]
        return
    assert found.program()["command"] == value
    assert bool(found.warnings) == ("#frag" in line)


def test_lossy_environments_are_said(tmp_path: Path) -> None:
    found = migrated(
        tmp_path, f"{HEAD}[program:web]\ncommand = x\nenvironment =\n  A=1,\n  B=x y\n  C=2,C=3\n"
    )
    assert found.program()["environment"] == {"A": "1", "B": "x", "C": "3"}
    assert found.warnings[0].startswith("supervisord.conf:7: [program:web] environment: the value of B ends")
    assert "C is set more than once" in found.warnings[1]


def test_environments_that_are_variables_themselves_can_not_be_said(tmp_path: Path) -> None:
    environ = {**ENVIRON, "PAIRS": "A=1,B=2"}
    found = migrated(tmp_path, f"{HEAD}[program:web]\ncommand = x\nenvironment = %(ENV_PAIRS)s\n", environ)
    assert "environment" not in found.program()
    assert "environment_file = [...] can read them" in only(found.warnings)


def test_a_dump_of_all_variables_stays_what_was_meant(tmp_path: Path) -> None:
    found = migrated(tmp_path, f"{HEAD}[program:web]\ncommand = date +%s\n")
    assert found.program()["command"] == "date +%s"
    assert "supervisord puts a dump of all its variables" in only(found.warnings)


def test_values_that_can_only_be_fixed(tmp_path: Path) -> None:
    found = migrated(
        tmp_path,
        f"{HEAD}[program:web]\ncommand = x\nprocess_name = w%(process_num)d\nnumprocs = %(ENV_NUMBER)s\n"
        "autostart = %(ENV_UNSET)s\nstartsecs = 1\n",
    )
    assert found.program()["numprocs"] == 2
    assert "autostart" not in found.program()
    assert "numprocs: refers to something that may change" in found.warnings[0]
    assert "2 is written, which is what it is here and now" in found.warnings[0]
    assert "autostart: depends on the variable UNSET, which is not set here" in found.warnings[1]


def test_variables_that_are_not_set_here_stay_references(tmp_path: Path) -> None:
    found = migrated(
        tmp_path, f"{HEAD}[program:web]\ncommand = x %(ENV_UNSET)s\nstdout_logfile = /x/%(ENV_UNSET)s\n"
    )
    assert found.program()["command"] == "x ${UNSET}"
    assert not found.warnings
    assert "refers to the variable UNSET, which is not set here" in found.notes[0]


@pytest.mark.parametrize("conversion", ["10s", ".3s", "r"])
def test_formats_of_variables_can_not_be_said(conversion: str, tmp_path: Path) -> None:
    found = migrated(
        tmp_path, f"{HEAD}[program:web]\ncommand = x\ndirectory = /%(ENV_GREETING){conversion}\n"
    )
    assert "directory" not in found.program()
    assert f"the format of %(ENV_GREETING){conversion} cannot be expressed" in only(found.warnings)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("stopsignal = 0", "0 is no signal"),
        ("startsecs = 0", "counts as a failed start in Kahi, and is given up after 3 retries"),
        ("priority = -5", "-5 is out of range in Kahi (0 to 999); 0 is written"),
        ("priority = 5000", "999 is written"),
        ("numprocs_start = -1", "the first process has number 0"),
        ("startsec = 5", "supervisord does not know it either (did you mean 'startsecs'?)"),
        ("serverurl =", "SUPERVISOR_SERVER_URL is set whenever there is a control socket"),
        ("directory =", "is empty: supervisord never runs it"),
        ("stderr_logfile = /x\nstderr_logfile = /y", "replaces the one in"),
    ],
)
def test_what_changes_its_meaning_is_said(lines: str, message: str, tmp_path: Path) -> None:
    found = migrated(tmp_path, f"{HEAD}[program:web]\ncommand = x\n{lines}\n")
    assert message in only(found.warnings)


def test_too_many_processes(tmp_path: Path) -> None:
    found = migrated(
        tmp_path, f"{HEAD}[program:w]\ncommand = x\nprocess_name=%(process_num)d\nnumprocs = 10001\n"
    )
    assert found.program("w")["numprocs"] == 10_000
    assert "is more than Kahi runs of one program" in found.warnings[0]


def test_startsecs_of_zero_without_restarts_is_the_same(tmp_path: Path) -> None:
    found = migrated(tmp_path, f"{HEAD}[program:web]\ncommand = x\nstartsecs = 0\nautorestart = false\n")
    assert not found.warnings


# Other sections


def test_listeners(tmp_path: Path) -> None:
    found = migrated(
        tmp_path,
        f"""{HEAD}[eventlistener:mail]
command = crashmail
events = process_state_exited, TICK_60
buffer_size = 50
priority = -1
stdout_logfile = /x.log
stderr_logfile = NONE
result_handler = my.module:handler
""",
    )
    assert found.table["eventlisteners"]["mail"] == {
        "command": "crashmail",
        "events": ["PROCESS_STATE_EXITED", "TICK_60"],
        "buffer_size": 50,
        "stderr_logfile": "/dev/null",
    }
    assert "the stdout of a listener is its protocol" in found.warnings[0]
    assert "result_handler: left out: a listener's answer is OK or FAIL" in found.warnings[1]


def test_fastcgi(tmp_path: Path) -> None:
    found = migrated(
        tmp_path,
        f"{HEAD}[fcgi-program:php]\ncommand = php\nsocket = unix:///run/%(program_name)s.sock\n"
        "socket_owner = www-data:www-data\nsocket_mode = 0770\nsocket_backlog = 512\n",
    )
    table = found.table["fcgi_programs"]["php"]
    assert table["socket"] == "unix:///run/%(program_name)s.sock"
    assert (table["socket_owner"], table["socket_mode"]) == ("www-data:www-data", "0770")
    assert table["socket_backlog"] == 512


def test_the_socket_of_fastcgi_belongs_to_its_user(tmp_path: Path) -> None:
    found = migrated(
        tmp_path, f"{HEAD}[fcgi-program:php]\ncommand = php\nsocket = unix:///x\nuser = daemon\n"
    )
    assert found.table["fcgi_programs"]["php"]["socket_owner"] == "daemon:1"
    found = migrated(
        tmp_path, f"{HEAD}[fcgi-program:php]\ncommand = php\nsocket = unix:///x\nuser = nobody-here\n"
    )
    assert found.table["fcgi_programs"]["php"]["socket_owner"] == "nobody-here"


def test_fastcgi_in_a_group_gets_its_socket_back(tmp_path: Path) -> None:
    found = migrated(
        tmp_path, f"{HEAD}[fcgi-program:php]\ncommand = php\nsocket = unix:///x\n[group:g]\nprograms = php\n"
    )
    assert found.table["fcgi_programs"]["php"]["socket"] == "unix:///x"
    assert "supervisord forgets the socket" in only(found.warnings)


def test_passwords_are_not_carried_over(tmp_path: Path) -> None:
    found = migrated(
        tmp_path,
        f"{HEAD}[inet_http_server]\nport = *:9001\nusername = admin\npassword = hunter2 ; secret\n",
    )
    assert found.table["server"]["http"] == {
        "enabled": False,
        "listen": "0.0.0.0:9001",
        "username": "admin",
        "password": "",
    }
    assert 'password = ""  # the hash that `kahi hash-password` prints' in found.text
    assert "hunter2" not in found.text + only(found.warnings)
    assert "put what `kahi hash-password` prints into [server.http] password" in only(found.warnings)


def test_an_open_server_is_not_opened(tmp_path: Path) -> None:
    found = migrated(tmp_path, f"{HEAD}[inet_http_server]\nport = localhost:9001\n")
    assert found.table["server"]["http"]["enabled"] is False
    assert found.table["server"]["http"]["listen"] == "localhost:9001"
    assert "lets everybody in, which Kahi does not" in only(found.warnings)


def test_the_control_socket(tmp_path: Path) -> None:
    found = migrated(
        tmp_path,
        f"{HEAD}[unix_http_server]\nfile = ~/x.sock\nchmod = 0775\nchown = nobody-here:daemon\nusername = u\npassword = secret\n",
    )
    assert found.table["server"]["unix"] == {
        "file": "${HOME}/x.sock",
        "chmod": "0775",
        "chown": "nobody-here:daemon",
        "allow_groups": ["daemon"],
    }
    # The real models know that there is no such user here.
    assert '# unsupported: allow_users = ["nobody-here"] (there is no user' in found.text
    assert "# unsupported: password = ******** (on a Unix socket" in found.text
    assert "lets every user of this machine in" in found.warnings[0]


def test_further_servers_are_left_out(tmp_path: Path) -> None:
    found = migrated(
        tmp_path,
        f"{HEAD}[unix_http_server]\nfile = /a\n[unix_http_server:b]\nfile = /b\npassword=x\nusername=y\n",
    )
    assert found.table["server"] == {"unix": {"file": "/a"}}
    assert (
        "# unsupported: [unix_http_server:b] (Kahi has one such server, and [unix_http_server] is it)"
        in found.text
    )
    assert "# password = ********" in found.text


def test_what_has_no_place_in_kahi(tmp_path: Path) -> None:
    found = migrated(
        tmp_path,
        f"""{HEAD}
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[rpcinterface:mine]
supervisor.rpcinterface_factory = my.module:make
retries = 3
[ctlplugin:mine]
supervisor.ctl_factory = my.module:make
[supervisorctl]
serverurl = http://localhost:9001
prompt = mine
; a comment
[program-x]
command = never
""",
    )
    assert set(found.table) == {"supervisor"}
    assert "# unsupported: [rpcinterface:mine] (Kahi has no XML-RPC" in found.text
    assert "# retries = 3" in found.text
    assert "# unsupported: prompt = mine (kahi ctl has no such setting)" in found.text
    assert "# a comment" in found.text
    lines = [line.partition(": ")[2].partition(": ")[0] for line in found.warnings]
    assert lines == ["[rpcinterface:mine]", "[ctlplugin:mine]", "[supervisorctl] prompt", "[program-x]"]
    assert "REST API in place of XML-RPC" in found.notes[0]
    assert "kahi ctl speaks to the socket of [server.unix]" in found.notes[1]


def test_a_part_of_a_configuration_can_be_moved(tmp_path: Path) -> None:
    found = migrated(tmp_path, "[program:web]\ncommand = x\n")
    assert set(found.table) == {"programs"}
    assert only(found.warnings) == (
        "supervisord.conf:1: there is no [supervisord] section, without which supervisord does not start"
    )


def test_a_byte_order_mark_is_taken_with_a_word(tmp_path: Path) -> None:
    found = migrated(tmp_path, "\ufeff[supervisord]\nnodaemon = true\n".replace("\n", "\r\n"))
    assert "supervisor" in found.table
    assert "begins with a byte order mark" in only(found.warnings)


def test_a_command_in_several_lines_stays_that_when_it_is_long(tmp_path: Path) -> None:
    found = migrated(
        tmp_path,
        f"{HEAD}[program:web]\ncommand = gunicorn --first-option 'with \"quotes\"'\n"
        "   --second-option-that-is-long value\n   --third-option-that-is-long\n",
    )
    assert (
        "command = '''\ngunicorn" in found.text
        or 'command = """\ngunicorn --first-option \'with "quotes"\'\n    --second' in found.text
    )
    assert found.program()["command"].splitlines()[1] == "    --second-option-that-is-long value"


def test_a_command_in_lines_keeps_what_newlines_mean(tmp_path: Path) -> None:
    found = migrated(
        tmp_path, f"{HEAD}[program:web]\ncommand = sh -c 'a\n  b'\n[program:x]\ncommand = a \\\n  b\n"
    )
    assert found.program()["command"] == "sh -c 'a\nb'"
    assert found.program("x")["command"] == "a \\\nb"


def test_defaults_stay_where_a_comment_belongs_to_them(tmp_path: Path) -> None:
    found = migrated(
        tmp_path,
        f"{HEAD}[program:web]\ncommand = x\nautostart = true\npriority = 999 ; late\n; why not\nstartsecs = 1\n",
    )
    assert "autostart" not in found.text
    assert "priority = 999  # late\n# why not\nstartsecs = 1\n" in found.text
