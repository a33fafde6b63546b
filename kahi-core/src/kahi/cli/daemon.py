"""`kahi daemon`: supervise."""

from __future__ import annotations

import gc
import os
import sys
import threading
import time
from typing import Final, NoReturn

import click

from kahi.guardian import post_guardian
from kahi.stdio import ensure_standard_descriptors

PATIENCE: Final = 1.0
"""Seconds that threads get to end by themselves."""


@click.command()
@click.option("-c", "--config", default="", metavar="FILE", help="Configuration; default: the usual places.")
@click.option("-p", "--pidfile", default="", metavar="FILE", help="Write the daemon's pid to FILE.")
@click.option("-d", "--daemonize", is_flag=True, help="Go to the background once it is up.")
@click.option("-u", "--user", default="", metavar="USER[:GROUP]", help="Become USER after sockets are bound.")
def daemon(config: str, pidfile: str, daemonize: bool, user: str) -> None:
    """Start programs and keep them running.

    SIGTERM, SIGINT and SIGQUIT stop everything in order, a second one kills; SIGHUP reloads the
    configuration; SIGUSR2 reopens log files.
    """
    # What starting makes is there to stay: looking for garbage in it again and again takes time. The
    # daemon turns the collector on when its programs run.
    gc.disable()
    ensure_standard_descriptors()
    guardian = post_guardian()
    from kahi.daemon import Options, run

    _leave(run(Options(config, pidfile, user, daemonize), guardian=guardian))


def _leave(code: int) -> NoReturn:
    """End the process, also when a plugin or a file system that hangs holds a thread of it."""
    deadline = time.monotonic() + PATIENCE
    for thread in threading.enumerate():
        if thread is threading.main_thread() or thread.daemon:
            continue
        thread.join(max(0.0, deadline - time.monotonic()))
        if thread.is_alive():
            # An ordinary exit would wait for it.
            os._exit(code)
    sys.exit(code)
