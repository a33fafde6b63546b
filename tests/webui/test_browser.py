"""The page in a real browser, against the real program."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support import eventually, python
from tests.webui.conftest import Site

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.slow, pytest.mark.needs_browser]

Open = Callable[..., Site]

SLEEPER = 'command = "sleep 3600"\nstartsecs = 0'
TALKER = python(
    "import itertools, time\n"
    "for n in itertools.count():\n"
    "    print('\\x1b[1;31mred\\x1b[0m line', n, '<script>document.title = 1</script>', flush=True)\n"
    "    time.sleep(0.02)"
)


def state(page: Page, name: str) -> str:
    return page.locator(f"tr[data-name='{name}'] .state").inner_text()


def until(page: Page, expression: str) -> None:
    """Wait until an expression is true; our policy lets no page evaluate text, as Playwright's own way does."""
    eventually(lambda: page.evaluate(expression), expression, patience=60)


def is_live(page: Page) -> None:
    page.wait_for_selector("#live[data-is=on]")


def test_rows_title_and_icon_follow_the_daemon(site: Open) -> None:
    here = site(f"[programs.a]\n{SLEEPER}\nautorestart = true\n[programs.b]\n{SLEEPER}\nautostart = false\n")
    running = here.running
    pid = running.wait_for("a", "RUNNING").pid
    page = here.open()
    is_live(page)
    assert page.title() == "1 RUNNING · kahi"
    icon = page.locator("link[rel=icon]")
    until(page, "document.querySelector('link[rel=icon]').href.startsWith('data:')")
    assert "2f7d5b" in (icon.get_attribute("href") or "")
    os.kill(pid, signal.SIGKILL)
    until(page, "document.querySelector(\"tr[data-name='a'] .c-restarts\").textContent === '1'")
    row = page.locator("tr[data-name='a']")
    assert row.locator(".c-pid").inner_text() == str(running.process("a").pid)
    assert row.locator(".timeline rect").count() >= 3
    assert state(page, "b") == "STOPPED"
    page.get_by_role("button", name="Start b").click()
    until(page, "document.title === '2 RUNNING · kahi'")
    page.get_by_role("button", name="Stop a", exact=True).click()
    until(page, "document.querySelector(\"tr[data-name='a'] .state\").textContent === 'STOPPED'")
    assert page.get_by_role("button", name="Start a", exact=True).is_visible()
    assert not page.get_by_role("button", name="Stop a", exact=True).is_visible()


def test_trouble_is_seen_in_title_and_icon(site: Open) -> None:
    here = site("[programs.broken]\ncommand = '/no/such'\n")
    here.running.wait_for("broken", "FATAL")
    page = here.open()
    until(page, "document.title === '1 FATAL · 0 RUNNING · kahi'")
    until(page, "document.querySelector('link[rel=icon]').href.includes('d64545')")
    assert "troubled" in (page.locator("tr[data-name='broken']").get_attribute("class") or "")


def test_filter_as_you_type_and_by_keys(site: Open) -> None:
    here = site(f"[programs.w]\n{SLEEPER}\nnumprocs = 12\n[programs.x]\n{SLEEPER}\nautostart = false\n")
    here.running.wait_for("w_11", "RUNNING")
    page = here.open()
    is_live(page)
    shown = page.locator("tr[data-name]:visible")
    assert shown.count() == 13
    page.keyboard.press("/")
    page.keyboard.type("w_1")
    assert shown.count() == 3
    assert page.url.endswith("?q=w_1")
    page.keyboard.press("Escape")
    assert shown.count() == 13
    page.locator(".count[data-state=STOPPED]").click()
    assert shown.count() == 1
    page.locator(".count[data-state=STOPPED]").click()
    page.locator("h1").first.evaluate("document.activeElement.blur()")
    page.keyboard.press("j")
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.textContent") == "w_1"
    page.keyboard.press("k")
    page.keyboard.press("Enter")
    page.wait_for_url("**/process/w_0")


def test_a_filtered_page_gets_the_other_rows_when_the_filter_goes(site: Open) -> None:
    here = site(f"[programs.w]\n{SLEEPER}\nnumprocs = 5\n")
    here.running.wait_for("w_4", "RUNNING")
    page = here.open("/?q=w_3")
    is_live(page)
    until(page, "document.querySelectorAll('tr[data-name]').length === 5")
    assert page.locator("tr[data-name]:visible").count() == 1
    page.fill("#filter", "")
    assert page.locator("tr[data-name]:visible").count() == 5


def test_many_are_acted_on_together_after_a_question(site: Open) -> None:
    here = site(f"[programs.w]\n{SLEEPER}\nnumprocs = 3\n")
    here.running.wait_for("w_2", "RUNNING")
    page = here.open()
    is_live(page)
    assert not page.locator("#bulk").is_visible()
    page.get_by_label("Select w_0").check()
    page.get_by_label("Select w_1").check()
    assert page.locator("#picked").inner_text() == "2 selected"
    page.locator("#bulk").get_by_role("button", name="Stop").click()
    dialog = page.get_by_role("dialog")
    assert "Stop 2 processes: w_0, w_1?" in dialog.inner_text()
    dialog.get_by_role("button", name="Cancel").click()
    assert here.running.process("w_0").state == "RUNNING"
    page.locator("#bulk").get_by_role("button", name="Stop").click()
    dialog.get_by_role("button", name="Stop").click()
    here.running.wait_for("w_0", "STOPPED")
    here.running.wait_for("w_1", "STOPPED")
    assert here.running.process("w_2").state == "RUNNING"
    page.get_by_role("button", name="Restart w:*").click()
    assert "Restart all 3 processes of w?" in dialog.inner_text()
    dialog.get_by_role("button", name="Restart").click()
    here.running.wait_for("w_0", "RUNNING")


def test_a_critical_process_is_stopped_after_a_question(site: Open) -> None:
    here = site(f"[programs.a]\n{SLEEPER}\n[programs.heart]\n{SLEEPER}\ncritical = true\n")
    before = here.running.wait_for("heart", "RUNNING").pid
    page = here.open()
    is_live(page)
    page.get_by_role("button", name="Stop a").click()
    here.running.wait_for("a", "STOPPED")
    dialog = page.get_by_role("dialog")
    page.get_by_role("button", name="Stop heart").click()
    assert "Stop heart? It is critical: its end ends the daemon." in dialog.inner_text()
    dialog.get_by_role("button", name="Cancel").click()
    page.get_by_label("Select heart").check()
    page.locator("#bulk").get_by_role("button", name="Restart").click()
    assert "Restart heart? It is critical." in dialog.inner_text()
    assert here.running.process("heart").pid == before
    dialog.get_by_role("button", name="Restart").click()
    eventually(lambda: here.running.process("heart").pid not in (0, before), "a new pid")


def test_groups_come_and_go_without_a_reload(site: Open) -> None:
    first = f"[programs.a]\n{SLEEPER}\n"
    here = site(first)
    here.running.wait_for("a", "RUNNING")
    page = here.open()
    is_live(page)
    page.evaluate("window.here = true")
    text = here.running.config.read_text()
    here.running.write_config(text + f"[programs.w]\n{SLEEPER}\nnumprocs = 2\n")
    with here.running.client() as client:
        client.update()
    page.wait_for_selector("tr[data-name='w_1'][data-state=RUNNING]")
    assert page.locator(".group-name").inner_text() == "w"
    assert page.get_by_label("Select w_1").get_attribute("value") == "w_1"
    here.running.write_config(text)
    with here.running.client() as client:
        client.update()
    page.wait_for_selector("tr[data-name='w_1']", state="detached")
    assert page.evaluate("window.here") is True


def test_a_look_at_the_daemon_that_failed_is_taken_again(site: Open) -> None:
    here = site(f"[programs.a]\n{SLEEPER}\n")
    page = here.open()
    is_live(page)
    page.route("**/overview.json", lambda route: route.abort(), times=1)
    here.running.write_config(here.running.config.read_text() + f"[programs.b]\n{SLEEPER}\n")
    with here.running.client() as client:
        with page.expect_event("requestfailed"):
            client.update()
        client.restart("b")
    page.wait_for_selector("tr[data-name='b'][data-state=RUNNING]")
    # The browser says that the request failed.
    here.problems.clear()


def test_a_thousand_processes_arrive_in_parts(site: Open) -> None:
    here = site(
        "[programs.many]\ncommand = 'sleep 1'\nautostart = false\nnumprocs = 1000\n"
        "stdout_buffer_maxbytes = 0\nstderr_buffer_maxbytes = 0\n"
    )
    page = here.open()
    assert len(page.content()) < 1_500_000
    until(page, "document.querySelectorAll('tr[data-name]').length === 1000")
    page.fill("#filter", "many_999")
    until(page, "[...document.querySelectorAll('tr[data-name]')].filter((row) => !row.hidden).length === 1")


def test_curves_are_drawn_once_there_are_samples(site: Open) -> None:
    here = site(f"[programs.a]\n{python('while True: pass')}\nstartsecs = 0\n")
    page = here.open()
    page.wait_for_selector("tr[data-name='a'] .c-cpu .spark polyline", state="attached", timeout=30_000)
    assert page.locator("tr[data-name='a'] .c-memory .value").inner_text().endswith("MiB")


def test_the_page_of_a_process_is_live(site: Open) -> None:
    here = site(f"[programs.a]\n{TALKER}\nstartsecs = 0\nautorestart = true\n")
    pid = here.running.wait_for("a", "RUNNING").pid
    page = here.open("/process/a")
    is_live(page)
    page.wait_for_selector(".live-log .l")
    os.kill(pid, signal.SIGKILL)
    until(page, "document.querySelector('#restarts-now').textContent === '1'")
    page.wait_for_selector("#events td:has-text('PROCESS_STATE_EXITED')")
    page.get_by_role("button", name="Stop a").click()
    until(page, "document.title.startsWith('STOPPED')")
    page.get_by_role("button", name="Start a").click()
    here.running.wait_for("a", "RUNNING")


@pytest.mark.fault("A9")
def test_a_log_in_colours_that_is_never_executed(site: Open) -> None:
    here = site(f"[programs.a]\n{TALKER}\nstartsecs = 0\n")
    page = here.open("/process/a/log/stdout")
    line = page.locator(".live-log .l").first
    assert line.locator(".b.f1").inner_text() == "red"
    assert "<script>document.title = 1</script>" in line.inner_text()
    assert page.title() == "stdout of a · kahi"


def test_searching_pausing_and_wrapping_a_log(site: Open) -> None:
    here = site(f"[programs.a]\n{TALKER}\nstartsecs = 0\n")
    page = here.open("/process/a/log/stdout")
    lines = page.locator(".live-log .l")
    eventually(lambda: lines.count() > 60, "lines")
    page.get_by_role("button", name="Pause").click()
    page.wait_for_timeout(200)
    count = lines.count()
    page.get_by_label("Search in what is loaded").fill("line 42 ")
    assert page.locator(".status").inner_text() == f"1 of {count} lines"
    page.get_by_label("only matching lines").check()
    assert page.locator(".live-log .l:visible").count() == 1
    page.get_by_label("Search in what is loaded").fill("")
    page.get_by_label("wrap").uncheck()
    assert "nowrap" in (page.locator(".live-log").get_attribute("class") or "")
    page.get_by_role("button", name="Resume").click()
    eventually(lambda: lines.count() > count, "more lines")


def test_older_parts_both_streams_and_downloads(site: Open, short_tmp: Path) -> None:
    code = (
        "import sys, time\n"
        "for n in range(30000): print('line', n)\n"
        "print('an error', file=sys.stderr, flush=True)\n"
        "sys.stdout.flush(); time.sleep(3600)"
    )
    log = short_tmp / "log"
    here = site(f"[programs.a]\n{python(code)}\nstartsecs = 0\nstdout_logfile = '{log}'\n")
    eventually(lambda: log.exists() and "line 29999" in log.read_text(), "the output")
    page = here.open("/process/a/log/stdout")
    until(page, "document.querySelector('.live-log').textContent.includes('line 29999')")
    before = page.locator(".live-log .l").first.inner_text()
    page.get_by_role("button", name="Older").click()
    until(page, f"document.querySelector('.live-log .l').textContent !== {before!r}")
    numbers = page.eval_on_selector_all(
        ".live-log .l", "lines => lines.slice(1).map((line) => Number(line.textContent.split(' ')[1]))"
    )
    assert numbers == list(range(numbers[0], 30000))
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    assert Path(download.value.path()).read_text() == log.read_text()
    page.get_by_role("link", name="both").click()
    page.wait_for_selector(".live-log .err:has-text('an error')")


def test_a_log_goes_on_over_rotation_and_restart(site: Open, short_tmp: Path) -> None:
    here = site(
        f"[programs.a]\n{TALKER}\nstartsecs = 0\nstdout_logfile = '{short_tmp / 'log'}'\n"
        "stdout_logfile_maxbytes = 3000\nstdout_logfile_backups = 2\n"
    )
    page = here.open("/process/a/log/stdout")
    eventually(lambda: (short_tmp / "log.2").exists(), "two rotations")
    with here.running.client() as client:
        client.restart("a")
    text = "document.querySelector('.live-log').textContent"
    until(page, f"{text}.lastIndexOf('line 0 ') > {text}.indexOf('line 60 ') && {text}.includes('line 60 ')")


def test_a_flood_leaves_the_tab_usable_and_its_memory_flat(site: Open) -> None:
    code = "import os\nblock = b'x' * 99 + b'\\n'\nwhile True: os.write(1, block * 640)"
    here = site(f"[programs.a]\n{python(code)}\nstartsecs = 0\nstdout_logfile = '/dev/null'\n")
    page = here.open("/process/a/log/stdout")
    until(page, "document.querySelectorAll('.live-log .l').length > 1000")
    used = []
    for _ in range(8):
        page.wait_for_timeout(500)
        assert page.locator(".live-log .l").count() <= 5000
        used.append(page.evaluate("performance.memory.usedJSHeapSize") / 1e6)
    assert max(used) < 150, used
    page.get_by_role("button", name="Pause").click()
    assert page.get_by_role("button", name="Resume").is_visible()


def test_a_reload_is_applied_after_a_question(site: Open) -> None:
    here = site(f"[programs.a]\n{SLEEPER}\n")
    before = here.running.wait_for("a", "RUNNING").pid
    here.running.write_config(here.running.config.read_text().replace("3600", "3601"))
    page = here.open("/config")
    assert "restarted process a, because of command" in page.locator(".diff").inner_text()
    page.get_by_role("button", name="Apply").click()
    page.get_by_role("dialog").get_by_role("button", name="Apply").click()
    page.wait_for_selector("text=Nothing: the files say what is running.")
    eventually(lambda: here.running.process("a").pid not in (0, before), "a new pid")


def test_events_appear_as_they_happen(site: Open) -> None:
    here = site(f"[programs.a]\n{SLEEPER}\nautostart = false\n")
    page = here.open("/events?types=config+process_state")
    is_live(page)
    with here.running.client() as client:
        client.start("a")
    page.wait_for_selector("#events tr:has-text('PROCESS_STATE_RUNNING'):has-text('a')")


def test_pages_work_without_scripts(site: Open) -> None:
    here = site(f"[programs.w]\n{SLEEPER}\nnumprocs = 2\n")
    here.running.wait_for("w_1", "RUNNING")
    page = here.open(java_script_enabled=False)
    page.get_by_role("button", name="Stop w_0").click()
    here.running.wait_for("w_0", "STOPPED")
    page.get_by_label("Select w_0").check()
    page.get_by_label("Select w_1").check()
    page.locator("#bulk").get_by_role("button", name="Restart").click()
    assert page.get_by_role("heading").inner_text() == "Are you sure?"
    page.get_by_role("button", name="Restart").click()
    here.running.wait_for("w_0", "RUNNING")
    page.fill("#filter", "w_1")
    page.keyboard.press("Enter")
    page.wait_for_url("**q=w_1**")
    assert page.locator("tr[data-name]").count() == 1


PAGES = ("/", "/process/broken", "/process/a/log/stdout", "/events", "/config", "/plugins")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nobody_is_shut_out(site: Open, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    here = site(
        f"[programs.a]\n{TALKER}\nstartsecs = 0\n[programs.w]\n{SLEEPER}\nnumprocs = 2\nautostart = false\n"
        "[programs.broken]\ncommand = '/no/such'\n"
    )
    here.running.wait_for("broken", "FATAL")
    for path in PAGES:
        page = here.open(path, color_scheme=scheme)
        page.wait_for_timeout(300)
        found = [
            f"{path}: {violation['id']}: {[node['target'] for node in violation['nodes']][:3]}"
            for violation in axe.run(page).response["violations"]
            if violation["impact"] in ("serious", "critical")
        ]
        assert not found
        page.context.close()


def test_a_phone_needs_no_sideways_scrolling(site: Open) -> None:
    here = site(
        f"[programs.a_program_with_a_rather_long_name]\n{SLEEPER}\n[programs.w]\n{SLEEPER}\nnumprocs = 2\n"
        "[programs.broken]\ncommand = '/no/such'\n[programs.a]\ncommand = 'true'\nautostart = false\n"
    )
    here.running.wait_for("broken", "FATAL")
    for path in PAGES:
        page = here.open(path, viewport={"width": 375, "height": 700})
        assert page.evaluate("document.documentElement.scrollWidth") <= 375, path
        if path == "/":
            right = page.get_by_role("button", name="Restart w_0").bounding_box()
            assert right is not None
            assert right["x"] + right["width"] <= 375
        page.context.close()
