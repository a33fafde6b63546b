"""What lies in packaging/ works: units, images, rotation, playbooks and workflows."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from tests.container import PROGRAMS, Container
from tests.support import PATIENCE, ROOT, Daemon, eventually

Start = Callable[..., Daemon]
PACKAGING = ROOT / "packaging"
KAHI = f"{PROGRAMS}/kahi"
SLEEPER = '[programs.{}]\ncommand = "sleep 3600"\nstartsecs = 0\n'


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
@pytest.mark.parametrize("drop_in", ["", "users.conf"])
def test_unit_is_understood(tmp_path: Path, drop_in: str) -> None:
    text = (PACKAGING / "systemd/kahi.service").read_text(encoding="utf-8")
    unit = tmp_path / "kahi.service"
    unit.write_text(text.replace("/opt/kahi/bin/kahi", KAHI), encoding="utf-8")
    if drop_in:
        (tmp_path / "kahi.service.d").mkdir()
        shutil.copy(PACKAGING / "systemd" / drop_in, tmp_path / "kahi.service.d")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_unit_fits_the_program() -> None:
    unit = (PACKAGING / "systemd/kahi.service").read_text(encoding="utf-8")
    commands = re.findall(r"^Exec\w+=/opt/kahi/bin/(kahi .*)$", unit, re.MULTILINE)
    assert len(commands) == 2
    for command in commands:
        words = [word for word in command.split() if not word.startswith(("/", "-"))]
        done = subprocess.run(
            [KAHI, *words[1:], "--help"], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
    # It is given the time that a shutdown may take.
    assert int(re.findall(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE)[0]) > 30 + 10


@pytest.mark.slow
@pytest.mark.skipif(
    not shutil.which("logrotate", path=f"{os.environ['PATH']}:/usr/sbin"), reason="needs logrotate"
)
def test_logs_are_rotated_without_loss(daemon: Start, short_tmp: Path) -> None:
    logs = short_tmp / "logs"
    logs.mkdir(mode=0o755)
    counter = "import itertools, time\nfor n in itertools.count(): print(n, flush=True); time.sleep(0.01)"
    running = daemon(
        f"[programs.web]\ncommand = ['{sys.executable}', '-c', '''{counter}''']\n"
        f'stdout_logfile = "{logs}/web.log"\nstdout_logfile_maxbytes = 0\n'
    )
    text = (PACKAGING / "logrotate/kahi").read_text(encoding="utf-8")
    text = text.replace("/opt/kahi/bin/kahi", KAHI).replace("/run/kahi/kahi.sock", str(running.socket))
    config = short_tmp / "logrotate.conf"
    config.write_text(text.replace("/var/log/kahi", str(logs)), encoding="utf-8")
    config.chmod(0o644)
    command = ["logrotate", "-f", "-s", str(short_tmp / "state"), str(config)]
    environ = {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin"}
    for turn in (1, 2):
        eventually(lambda: (logs / "web.log").read_text().count("\n") > 20)
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        assert (logs / "web.log.1").exists(), turn
    running.ctl("stop", "web")
    older = subprocess.run(["gzip", "-dc", logs / "web.log.2.gz"], check=True, capture_output=True, text=True)
    everything = older.stdout + (logs / "web.log.1").read_text() + (logs / "web.log").read_text()
    numbers = [int(line) for line in everything.split()]
    assert numbers == list(range(len(numbers)))


@pytest.mark.skipif(not (PROGRAMS / "hadolint").exists(), reason="hadolint has wheels for Linux alone")
@pytest.mark.parametrize("name", ["Dockerfile", "example/Dockerfile"])
def test_dockerfiles_have_no_faults(name: str) -> None:
    done = subprocess.run(
        [PROGRAMS / "hadolint", "--no-color", PACKAGING / "docker" / name],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_build_gets_all_that_the_image_copies() -> None:
    dockerfile = (PACKAGING / "docker/Dockerfile").read_text(encoding="utf-8")
    ignored = (PACKAGING / "docker/Dockerfile.dockerignore").read_text(encoding="utf-8").split()
    copied = [line.split()[1] for line in dockerfile.splitlines() if re.match(r"COPY (?!--from)", line)]
    assert ignored == ["*", *(f"!{name}" for name in copied)]
    assert (ROOT / "packaging/docker/kahi.toml").is_file()


SET_UP = """
python3 -c 'import fcntl, socket, struct
fcntl.ioctl(socket.socket(), 0x8914, struct.pack("16sh", b"lo", 1))'
mount -t tmpfs none /srv
mount -t tmpfs none /run
mkdir /run/kahi "$1/etc"
cp -a /etc/. "$1/etc"
mkdir -p "$1/etc/kahi/kahi.d"
mount --bind "$1/etc" /etc
cp "$2/kahi.toml" /etc/kahi/kahi.toml
cp "$2/example/services.toml" /etc/kahi/kahi.d/
cp "$2/example/worker.py" /srv/
cd /srv
shift 2
exec "$@"
"""
"""Files lie where the images of the example put them, in worlds of mounts and networks of their own."""


@pytest.fixture
def container(short_tmp: Path) -> Iterator[Container]:
    """The container of the example."""
    made = Container(
        short_tmp,
        (PACKAGING / "docker/Dockerfile").read_text(encoding="utf-8"),
        "/etc/kahi/kahi.toml",
        worlds=["--net"],
        setting=["sh", "-ec", SET_UP, "sh", str(short_tmp), str(PACKAGING / "docker")],
    )
    yield made
    made.end()


@pytest.mark.slow
@pytest.mark.needs_namespaces
def test_two_services_in_one_image(container: Container) -> None:
    healthy = container.command("HEALTHCHECK")
    eventually(lambda: container.exec(*healthy).returncode == 0, "it is healthy")
    assert container.exec("kahi", "ctl", "pid").stdout == "1\n"
    page = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:8000/').read().decode())"
    assert "It is " in container.exec("python3", "-c", page).stdout
    # An orphan becomes PID 1's, and is reaped.
    container.exec("sh", "-c", "sleep 0.1 & exit 0")
    states = "cat /proc/[0-9]*/stat 2>/dev/null | cut -d')' -f2 | cut -c2"
    eventually(lambda: "Z" not in container.exec("sh", "-c", states).stdout, "there is no zombie")
    assert container.stop() == 0
    assert '"process": "worker"' in container.output.read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.needs_namespaces
def test_image_ends_with_a_service_that_is_given_up(container: Container) -> None:
    healthy = container.command("HEALTHCHECK")
    eventually(lambda: container.exec(*healthy).returncode == 0, "it is healthy")
    container.exec("rm", "/srv/worker.py")
    worker = container.exec("kahi", "ctl", "pid", "worker").stdout.strip()
    container.exec("kill", "-KILL", worker)
    assert container.popen.wait(PATIENCE) == 2  # What Python ends with that is given no file.


def test_configuration_of_the_image_has_no_mistakes(short_tmp: Path) -> None:
    config = short_tmp / "kahi.toml"
    text = (PACKAGING / "docker/kahi.toml").read_text(encoding="utf-8")
    config.write_text(text.replace("/etc/kahi/kahi.d", str(PACKAGING / "docker/example")), encoding="utf-8")
    assert tomllib.loads(text)["supervisor"]["shutdown_timeout"] < 10
    done = subprocess.run([KAHI, "check", "-c", config], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


class Playbook:
    """The tasks of the playbook, carried out as Ansible would: by their commands and conditions on exit codes."""

    def __init__(self, config: Path) -> None:
        text = (PACKAGING / "ansible/kahi.yml").read_text(encoding="utf-8")
        variables = {"kahi": KAHI, "kahi_config": str(config)}
        for name, value in variables.items():
            text = text.replace(f"{{{{ {name} }}}}", value)
        self.tasks = yaml.safe_load(text)[0]["tasks"]

    def run(self, beginning: str) -> subprocess.CompletedProcess[str]:
        """Run the command of the one task whose name begins so."""
        (task,) = [task for task in self.tasks if task["name"].startswith(beginning)]
        argv = [str(word) for word in task["ansible.builtin.command"]["argv"]]
        return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.slow
def test_playbook_finds_exit_codes_as_it_expects(daemon: Start) -> None:
    running = daemon(SLEEPER.format("web"))
    playbook = Playbook(running.config)
    for task in ("Ask", "Take", "Wait", "Look"):
        assert playbook.run(task).returncode == 0
    assert "nothing changed" in playbook.run("Ask").stdout
    running.write_config(SLEEPER.format("web") + '[programs.broken]\ncommand = "/no/such/program"\n')
    assert "nothing changed" not in playbook.run("Ask").stdout
    assert playbook.run("Take").returncode == 0
    running.wait_for("broken", "FATAL")
    assert playbook.run("Wait").returncode == 1
    looked = playbook.run("Look")
    assert looked.returncode == 3
    states = {process["name"]: process["state"] for process in json.loads(looked.stdout)}
    assert states == {"web": "RUNNING", "broken": "FATAL"}
    running.write_config("[programs.web]\ncommand = 7\n")
    assert playbook.run("Take").returncode == 1
    running.terminate()
    assert playbook.run("Look").returncode not in (0, 3)


WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))


@pytest.mark.skipif(not (PROGRAMS / "zizmor").exists(), reason="needs zizmor")
def test_workflows_have_no_faults() -> None:
    done = subprocess.run(
        [PROGRAMS / "zizmor", "--offline", "--no-progress", "--persona=pedantic", ROOT / ".github"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout
    assert len(WORKFLOWS) == 2


@pytest.mark.parametrize("path", WORKFLOWS, ids=[path.name for path in WORKFLOWS])
def test_workflows_use_what_is_there(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z./-]+|\$\(VENV\)/\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for target in re.findall(r"\bmake ([\w./-]+)", text):
        assert target.replace(".venv", "$(VENV)") in targets, target
    for name in re.findall(r"\b(?:tests|packaging)(?:/[\w./-]+)?", text):
        assert (ROOT / name).exists(), name


def test_every_python_that_is_named_is_tested() -> None:
    matrix = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"]["test"]["strategy"][
        "matrix"
    ]
    assert {"ubuntu-latest", "macos-latest"} <= set(matrix["system"])
    named = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["classifiers"]
    versions = [each.rpartition(" ")[2] for each in named if re.search(r":: 3\.\d+$", each)]
    assert matrix["python"] == versions
