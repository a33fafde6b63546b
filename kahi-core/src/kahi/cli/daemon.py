"""`kahi daemon`: supervise."""

from __future__ import annotations

import sys

import click


@click.command()
@click.option("-c", "--config", default="", metavar="FILE", help="Configuration; default: the usual places.")
@click.option("-p", "--pidfile", default="", metavar="FILE", help="Write the daemon's pid to FILE.")
@click.option("-d", "--daemonize", is_flag=True, help="Go to the background once it is up.")
@click.option("-u", "--user", default="", metavar="USER[:GROUP]", help="Become USER after sockets are bound.")
def daemon(config: str, pidfile: str, daemonize: bool, user: str) -> None:
    """Start the programs of the configuration and keep them running.

    SIGTERM, SIGINT and SIGQUIT stop everything in order, a second one kills; SIGHUP reloads the
    configuration; SIGUSR2 reopens log files.
    """
    from kahi.daemon import Options, run

    sys.exit(run(Options(config, pidfile, user, daemonize)))
