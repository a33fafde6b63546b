"""`kahi export`: the same programs for an orchestrator, judged by readers of each format."""

from __future__ import annotations

import io
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import hcl2
import pytest
import yaml

from kahi.cli.entry import run
from kahi.cli.program import guarded
from kahi_migrate.export.compose import COMPOSE
from kahi_migrate.export.kubernetes import KUBERNETES
from kahi_migrate.export.naming import safe_names, seconds
from kahi_migrate.export.nomad import NOMAD
from kahi_migrate.export.reading import read_workloads
from kahi_migrate.export.systemd import SYSTEMD
from kahi_migrate.export.workload import Workloads
from kahi_migrate.export_command import export
from kahi_migrate.target import TargetFormat
from tests.migrate.migrating import all_plugins

SHOP = """\
[supervisor]
identifier = "shop"
[supervisor.environment]
LANG = "C.UTF-8"

[programs.db]
command = ["/bin/sh", "-c", "sleep 1000; echo $HOME 100% {{ x }} $${Y} %{z}"]
user = "70:71"
stopsignal = "INT"
stopwaitsecs = 3600000
rlimits = { nofile = "1024:unlimited", as = 1073741824 }
health = { tcp = "localhost:5432", interval = 5, timeout = 0.5 }
stdout_logfile = "/var/log/db.log"

[programs.setup]
command = "/bin/sh setup --url postgres://me:hunter2@db/x"
oneshot = true
startretries = 0
depends_on = { db = "healthy" }
environment_file = ["-secrets.env", "more.env"]

[programs.web]
command = "/bin/sh web --bind 0.0.0.0:${PORT} --workers ${WORKERS:-3}"
directory = "/srv/${PLACE}"
numprocs = 3
stopasgroup = true
depends_on = { setup = "exited" }
environment = { DB_PASSWORD = "hunter2", DSN_URL = "http://me:hunter2@x", PATH = "/srv:${PATH}", MODE = "a $b ${X}-c" }
autorestart = true
restart_delay = 2.5
health = { http = "https://localhost/healthz?x=1", start_period = 5, on_failure = "none" }

[programs.pool]
command = "/bin/sh pool --shard %(process_num)d"
numprocs = 2
autostart = false
max_memory = "200MB"
killasgroup = true

[programs.agent]
command = "agent"
user = "root"
nice = 5
umask = "027"
exitcodes = [3]
no_new_privs = true
oom_score_adj = 100
startretries = -1
health = { notify = true }
stderr_logfile = "/dev/null"
critical = true

[programs.probed]
command = "/bin/sh probed"
autorestart = false
depends_on = { agent = "healthy" }
health = { exec = ["check", "$x"], on_failure = "signal:HUP" }
redirect_stderr = true

[fcgi_programs.php]
command = "/bin/sh php"
socket = "unix:///run/php.sock"
socket_mode = "0770"
socket_owner = "www-data:daemon"
socket_backlog = 99

[eventlisteners.mail]
command = "crashmail"
events = ["PROCESS_STATE_EXITED"]
"""
ENVIRON = {"PORT": "secret port", "PLACE": "secret place", "X": "secret x", "PATH": "/secret/path"}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The shop, with the file of variables that is not optional."""
    (tmp_path / "more.env").write_text("API_TOKEN=hunter2\n")
    path = tmp_path / "kahi.toml"
    path.write_text(SHOP)
    return path


def exported(
    path: Path, target: TargetFormat, image: str = "", environ: Mapping[str, str] = ENVIRON
) -> tuple[dict[str, str], Workloads]:
    """The files, and what was said."""
    workloads = read_workloads(str(path), all_plugins(), environ, image)
    files = {file.name: file.text for file in target.write(workloads)}
    for text in (*files.values(), *(str(note) for note in workloads.notes)):
        assert "hunter2" not in text
        assert "secret p" not in text
        assert "secret x" not in text
    return files, workloads


def said(workloads: Workloads, level: str = "warning") -> str:
    """All notes of a level, without the directory."""
    notes = (note for note in workloads.notes if note.level == level)
    return "\n".join(str(note.problem).rpartition("/kahi.toml:")[2] for note in notes)


def test_kubernetes(config: Path) -> None:
    files, workloads = exported(config, KUBERNETES)
    assert list(files) == ["shop.yaml"]
    found: dict[str, Any] = {
        each["metadata"]["name"]: each for each in yaml.safe_load_all(files["shop.yaml"])
    }
    assert list(found) == ["agent", "db", "pool-0", "pool-1", "probed", "setup", "web"]
    assert {name: each["kind"] for name, each in found.items() if each["kind"] == "Job"} == {
        "probed": "Job",
        "setup": "Job",
    }
    web = found["web"]
    assert web["spec"]["replicas"] == 3
    assert web["spec"]["selector"]["matchLabels"] == web["spec"]["template"]["metadata"]["labels"]
    (container,) = web["spec"]["template"]["spec"]["containers"]
    assert container["command"] == ["/bin/sh", "web", "--bind", "0.0.0.0:$(PORT)", "--workers", "3"]
    assert container["workingDir"] == "/srv/$(PLACE)"
    assert container["image"] == "web:latest"
    env = {each["name"]: each.get("value") for each in container["env"]}
    assert env == {
        "PORT": None,
        "PLACE": None,
        "X": None,
        "LANG": "C.UTF-8",
        "DB_PASSWORD": None,
        "DSN_URL": None,
        "MODE": "a $$b $(X)-c",
    }
    references = {
        each["valueFrom"]["secretKeyRef"]["name"] for each in container["env"] if "valueFrom" in each
    }
    assert references == {"shop-secrets"}
    probe = {"path": "/healthz?x=1", "port": 443, "scheme": "HTTPS"}
    assert container["readinessProbe"]["httpGet"] == probe
    assert container["readinessProbe"]["initialDelaySeconds"] == 5
    assert "livenessProbe" not in container
    (db,) = found["db"]["spec"]["template"]["spec"]["containers"]
    assert db["command"][2] == "sleep 1000; echo $$HOME 100% {{ x }} ${Y} %{z}".replace("${", "$${")
    assert db["livenessProbe"] == db["readinessProbe"]
    assert db["livenessProbe"]["tcpSocket"] == {"port": 5432}
    assert db["livenessProbe"]["timeoutSeconds"] == 1
    assert db["resources"] == {"limits": {"memory": "1073741824"}}
    assert db["securityContext"] == {"runAsUser": 70, "runAsGroup": 71}
    assert found["db"]["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] == 3600000
    assert found["pool-0"]["spec"]["replicas"] == 0
    (pool,) = found["pool-1"]["spec"]["template"]["spec"]["containers"]
    assert pool["command"][-1] == "1"
    assert pool["resources"] == {"limits": {"memory": "209715200"}}
    (setup,) = found["setup"]["spec"]["template"]["spec"]["containers"]
    assert found["setup"]["spec"]["backoffLimit"] == 0
    assert setup["envFrom"] == [{"secretRef": {"name": "setup-environment"}}]
    assert setup["command"][-1] == "postgres://********@db/x"
    (probed,) = found["probed"]["spec"]["template"]["spec"]["containers"]
    assert probed["readinessProbe"]["exec"] == {"command": ["check", "$x"]}
    warnings = said(workloads)
    for text in (
        "[eventlisteners.mail]: left out: event listeners speak with Kahi only",
        "[fcgi_programs.php] socket: left out",
        "[programs.agent] user: Kubernetes wants a number",
        "[programs.agent] health: left out: a probe can not be of kind notify",
        "[programs.agent] nice: left out",
        "[programs.agent] umask: left out",
        "[programs.agent] oom_score_adj: left out",
        "[programs.agent] critical: left out",
        "[programs.db] stopsignal: Kubernetes sends the STOPSIGNAL of the image",
        "[programs.db] rlimits: left out (nofile)",
        "[programs.db] stdout_logfile: left out: what it prints goes to the log of the container",
        "[programs.setup] command: a password in it is left out",
        "[programs.setup] environment_file: is not read",
        "[programs.setup] depends_on: nothing waits for db any more",
        "[programs.web] environment.PATH: left out: it adds to the value of the daemon",
        "the value of DB_PASSWORD is not written out: put it into the Secret shop-secrets, key DB_PASSWORD",
        "[programs.probed] health.on_failure: a probe can restart or do nothing",
        "runs in image web:latest, which is made up: say --image",
    ):
        assert text in warnings
    assert "[programs.db] autorestart: a Deployment starts everything again" in said(workloads, "note")


def test_compose(config: Path) -> None:
    files, workloads = exported(config, COMPOSE, image="registry/shop:1")
    (text,) = files.values()
    found = yaml.safe_load(text)
    assert found["name"] == "shop"
    services = found["services"]
    assert list(services) == ["agent", "db", "pool_0", "pool_1", "probed", "setup", "web"]
    assert {service["image"] for service in services.values()} == {"registry/shop:1"}
    web = services["web"]
    assert web["entrypoint"] == ["/bin/sh", "web", "--bind", "0.0.0.0:${PORT:?}", "--workers", "3"]
    assert web["environment"] == {
        "LANG": "C.UTF-8",
        "DB_PASSWORD": "${DB_PASSWORD:?}",
        "DSN_URL": "${DSN_URL:?}",
        "MODE": "a $$b ${X:?}-c",
    }
    assert web["deploy"] == {"replicas": 3}
    assert web["restart"] == "always"
    assert web["depends_on"] == {"setup": {"condition": "service_completed_successfully"}}
    assert services["setup"]["depends_on"] == {"db": {"condition": "service_healthy"}}
    assert services["probed"]["depends_on"] == {"agent": {"condition": "service_started"}}
    assert services["setup"]["env_file"] == [{"path": "secrets.env", "required": False}, "more.env"]
    assert services["setup"]["restart"] == "no"
    db = services["db"]
    assert (db["stop_signal"], db["stop_grace_period"], db["user"]) == ("SIGINT", "3600000s", "70:71")
    assert db["ulimits"] == {"nofile": {"soft": 1024, "hard": -1}}
    assert db["mem_limit"] == 1073741824
    assert db["restart"] == "on-failure"
    assert db["healthcheck"]["test"] == ["CMD", "nc", "-z", "127.0.0.1", "5432"]
    assert db["healthcheck"]["timeout"] == "0.5s"
    assert db["entrypoint"][2].endswith("echo $$HOME 100% {{ x }} $${Y} %{z}")
    assert services["pool_0"]["profiles"] == ["manual"]
    assert services["probed"]["healthcheck"]["test"] == ["CMD", "check", "$$x"]
    assert services["agent"]["security_opt"] == ["no-new-privileges:true"]
    assert services["agent"]["oom_score_adj"] == 100
    warnings = said(workloads)
    assert "[programs.db] health.on_failure: compose shows that a service is unhealthy" in warnings
    assert "[programs.db] health.tcp: is asked with nc" in warnings
    assert "[programs.web] health.http: is asked with curl" in warnings
    assert "[programs.probed] depends_on: waits for the start of agent only" in warnings
    assert "made up" not in warnings


@pytest.mark.parametrize("image", ["", "registry/shop:1"])
def test_nomad(image: str, config: Path) -> None:
    files, workloads = exported(config, NOMAD, image)
    assert list(files) == ["shop.nomad.hcl", "shop-batch.nomad.hcl"]
    service, batch = (hcl2.load(io.StringIO(text)) for text in files.values())
    text = files["shop.nomad.hcl"]
    assert '"${PORT}"' not in text
    assert '"0.0.0.0:${PORT}"' in text
    assert 'path = "/healthz?x=1"' in text
    assert "$${Y} %%{z}" in text
    assert 'kill_timeout = "3600000s"' in text
    assert "count = 3" in text
    assert "DB_PASSWORD={{ .DB_PASSWORD }}" in text
    assert "MODE=a $b {{ .X }}-c" in text
    assert ('driver = "docker"' in text) == bool(image)
    assert ('nofile = "1024:-1"' in text) == bool(image)
    assert "memory = 200" in text
    assert 'type = "batch"' in files["shop-batch.nomad.hcl"]
    assert service
    assert batch
    warnings = said(workloads)
    assert "[programs.agent] no_new_privs: left out" in warnings
    assert "[programs.probed] health.exec: left out: script checks need Consul" in warnings
    assert "put it into the variable nomad/jobs/shop/web/web" in warnings
    assert ("[programs.db] rlimits: left out: only the docker driver" in warnings) == (not image)


def test_systemd(config: Path, tmp_path: Path) -> None:
    files, workloads = exported(config, SYSTEMD)
    assert set(files) == {
        "shop.target",
        "agent.service",
        "db.service",
        "php.service",
        "php.socket",
        "pool_0.service",
        "pool_1.service",
        "probed.service",
        "setup.service",
        "web@.service",
    }
    lines = {name: text.splitlines() for name, text in files.items()}
    assert [line for line in lines["shop.target"] if line.startswith("Wants=")] == [
        "Wants=agent.service",
        "Wants=db.service",
        "Wants=php.socket",
        "Wants=probed.service",
        "Wants=setup.service",
        "Wants=web@0.service",
        "Wants=web@1.service",
        "Wants=web@2.service",
    ]
    web = lines["web@.service"]
    assert "ExecStart=/bin/sh web --bind 0.0.0.0:${PORT} --workers 3" in web
    assert "EnvironmentFile=/etc/shop/web.env" in web
    assert "Wants=setup.service" in web
    assert "KillMode=control-group" in web
    assert "RestartSec=2.5" in web
    assert "WorkingDirectory=/srv/${PLACE}" not in web
    db = lines["db.service"]
    assert 'ExecStart=/bin/sh -c "sleep 1000; echo $$HOME 100%% {{ x }} $${Y} %%{z}"' in db
    assert [line for line in db if line.startswith(("User=", "Group="))] == ["User=70", "Group=71"]
    assert "LimitNOFILE=1024:infinity" in db
    assert "KillSignal=SIGINT" in db
    assert "TimeoutStopSec=3600000" in db
    assert "StandardOutput=append:/var/log/db.log" in db
    agent = lines["agent.service"]
    for line in (
        "Type=notify",
        "StartLimitIntervalSec=0",
        "Restart=always",
        "RestartPreventExitStatus=3",
        "SuccessExitStatus=3",
        "Nice=5",
        "OOMScoreAdjust=100",
        "UMask=0027",
        "NoNewPrivileges=yes",
        "StandardError=null",
    ):
        assert line in agent
    setup = lines["setup.service"]
    assert "Type=oneshot" in setup
    assert "Restart=no" in setup
    assert f"EnvironmentFile=-{tmp_path}/secrets.env" in setup
    assert f"EnvironmentFile={tmp_path}/more.env" in setup
    assert "StandardError=inherit" in lines["probed.service"]
    assert "KillMode=mixed" in lines["pool_0.service"]
    assert "WantedBy=shop.target" not in lines["pool_0.service"]
    assert lines["php.socket"][3:] == [
        "[Socket]",
        "ListenStream=/run/php.sock",
        "SocketMode=0770",
        "SocketUser=www-data",
        "SocketGroup=daemon",
        "Backlog=99",
        "",
        "[Install]",
        "WantedBy=sockets.target",
    ]
    assert "StandardInput=socket" in lines["php.service"]
    warnings = said(workloads)
    assert "[programs.db] health: left out: systemd does not ask" in warnings
    assert "[programs.setup] depends_on: db is waited for until it is started" in warnings
    assert "[programs.web] directory: left out: systemd expands no variables there" in warnings
    assert "the value of PORT is not written out: put PORT=… into /etc/shop/web.env" in warnings
    assert "[programs.agent] command: systemd looks for the program on a PATH of its own" in said(
        workloads, "note"
    )


HIDING = """
[supervisor.environment]
SHARED = "known"
DB_PASSWORD = "hunter2"

[programs.web]
command = ["/bin/web", "${APP_TOKEN}", "${DB_PASSWORD}", "${SHARED}", "${OTHER_TOKEN:-none}", "${SIZE:-3}"]
health = { exec = ["/bin/check", "${APP_TOKEN}"] }

[programs.url]
command = "/bin/url"
health = { http = "http://me:hunter2@localhost:8080/" }

[programs.port]
command = "/bin/port --listen ${LISTEN_ON}"
health = { http = "http://localhost:${LISTEN_ON}/" }
"""


@pytest.mark.parametrize("target", [COMPOSE, KUBERNETES, NOMAD, SYSTEMD], ids=lambda target: target.name)
def test_secrets_of_health_checks_stay_out(tmp_path: Path, target: TargetFormat) -> None:
    path = tmp_path / "kahi.toml"
    path.write_text(HIDING)
    environ = {"APP_TOKEN": "hunter2", "OTHER_TOKEN": "hunter2", "LISTEN_ON": "8125"}
    files, workloads = exported(path, target, "image", environ)
    warnings = said(workloads)
    assert "[programs.web] health: left out: there is a secret in it" in warnings
    assert "[programs.url] health: left out: there is a secret in it" in warnings
    assert "[programs.port] health: what LISTEN_ON is here and now is written" in warnings
    text = "".join(files.values())
    assert "known" in text
    for name in ("APP_TOKEN", "OTHER_TOKEN", "DB_PASSWORD"):
        assert name in text
    assert "SIZE" not in text


def test_systemd_gives_up_after_as_many_retries_as_kahi(tmp_path: Path) -> None:
    path = tmp_path / "kahi.toml"
    path.write_text(
        '[programs.web]\ncommand = "/bin/web"\nstartsecs = 0\nstartretries = 999999\n'
        "backoff = { initial = 1, factor = 2, max = 60, jitter = 0 }\n"
    )
    files, _ = exported(path, SYSTEMD)
    lines = files["web.service"].splitlines()
    assert "StartLimitBurst=1000000" in lines
    assert f"StartLimitIntervalSec={1 + 2 + 4 + 8 + 16 + 32 + 60 * (999_999 - 6) + 1}" in lines


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
def test_systemd_takes_the_units(config: Path, tmp_path: Path) -> None:
    files, _ = exported(config, SYSTEMD)
    directory = tmp_path / "units"
    directory.mkdir()
    for name, text in files.items():
        (directory / name).write_text(text.replace("ExecStart=agent", "ExecStart=/bin/true"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *map(str, directory.iterdir())],
        capture_output=True,
        text=True,
        check=False,
    )
    complaints = [
        line for line in done.stderr.splitlines() if "units/" in line or line.startswith(tuple(files))
    ]
    assert not complaints


def test_names_that_collide_stay_apart() -> None:
    assert safe_names(["a b", "a.b", "größe", ""], "[^a-z]+", 60) == {
        "a b": "a-b",
        "a.b": "a-b-2",
        "größe": "gr-e",
        "": "program",
    }
    assert (seconds(1.0), seconds(0.25), seconds(3600000)) == ("1", "0.25", "3600000")


# The command


def kahi_export(*arguments: str) -> int:
    """Run the command line in this process."""
    return guarded(lambda: run(list(arguments), export, "kahi export"))


def test_it_prints_or_writes(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config.write_text('[programs.web]\ncommand = "/bin/true"\n')
    assert kahi_export("compose", "-c", str(config), "--image", "x") == 0
    printed = capsys.readouterr().out
    assert printed.startswith("name: kahi\nservices:\n  web:\n")
    output = tmp_path / "compose.yaml"
    assert kahi_export("compose", "-c", str(config), "--image", "x", "-o", str(output)) == 0
    assert output.read_text() == printed.rstrip("\n") + "\n"
    assert kahi_export("compose", "-c", str(config), "-o", str(output)) == 1
    assert "is there already (--force replaces it)" in capsys.readouterr().err
    assert kahi_export("compose", "-c", str(config), "--image", "y", "-o", str(output), "--force") == 0
    assert "image: y" in output.read_text()


def test_several_files_go_into_a_directory(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config.write_text('[programs.web]\ncommand = "/bin/true"\n')
    directory = tmp_path / "units"
    assert kahi_export("systemd", "-c", str(config)) == 0
    assert "# kahi.target\n[Unit]" in capsys.readouterr().out
    assert kahi_export("systemd", "-c", str(config), "-o", str(directory), "--dry-run") == 0
    assert not directory.exists()
    assert kahi_export("systemd", "-c", str(config), "-o", str(directory)) == 0
    assert sorted(path.name for path in directory.iterdir()) == ["kahi.target", "web.service"]
    (directory / "kahi.target").unlink()
    assert kahi_export("systemd", "-c", str(config), "-o", str(directory)) == 1
    assert sorted(path.name for path in directory.iterdir()) == ["web.service"]


def test_strict_and_mistakes(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "out.yaml"
    assert kahi_export("compose", "-c", str(config), "--strict", "-o", str(output)) == 1
    assert "warnings, nothing was written" in capsys.readouterr().err
    assert not output.exists()
    assert kahi_export("cron", "-c", str(config)) == 1
    assert (
        "there is no format 'cron' (allowed: compose, kubernetes, nomad, systemd)" in capsys.readouterr().err
    )
    config.write_text('[programs.web]\ncommand = "x"\nstartsecs = "x"\n')
    assert kahi_export("compose", "-c", str(config)) == 1
    assert f"{config}:3: [programs.web] startsecs: is no number" in capsys.readouterr().err
    assert kahi_export("compose", "-c", str(tmp_path / "none.toml")) == 1
    assert "cannot be read" in capsys.readouterr().err
