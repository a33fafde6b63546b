"""The plugin in a real supervisor: the fixture `supervise` comes with kahi-core."""

import kahi_notify

from kahi.testing import check_plugin


def table(file):
    """A configuration that appends to a file."""
    return f"[notify]\ncommand = ['sh', '-c', 'cat >> {file}']\n"


def says(running, file, text):
    """Wait until something was told."""
    running.wait_until(lambda: file.exists() and text in file.read_text(), f"{file} says {text!r}")


def test_it_is_a_plugin():
    assert check_plugin(kahi_notify) == []


def test_a_process_that_can_not_be_started_is_told(supervise, tmp_path):
    file = tmp_path / "told"
    running = supervise(
        table(file) + '[programs.web]\ncommand = "/there/is/none"\nstartretries = 0', plugins=[kahi_notify]
    )
    running.wait_for("web", "FATAL")
    says(running, file, "web is FATAL: ")


def test_only_an_exit_that_is_not_expected_is_told(supervise, tmp_path):
    file = tmp_path / "told"
    programs = """
        [programs.good]
        command = "true"
        startsecs = 0
        autorestart = false

        [programs.bad]
        command = "sh -c 'exit 3'"
        startsecs = 0
        autorestart = false
    """
    running = supervise(table(file) + programs, plugins=[kahi_notify])
    running.wait_for_event("process_state_exited", "good")
    running.wait_for_event("process_state_exited", "bad")
    says(running, file, "bad is EXITED: exit status 3\n")
    running.end()
    assert "good" not in file.read_text()
