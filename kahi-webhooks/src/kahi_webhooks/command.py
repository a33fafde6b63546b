"""`kahi webhook`: trying webhooks out."""

from __future__ import annotations

import click


@click.group()
def webhook() -> None:
    """Try out the webhooks of a configuration."""


@webhook.command()
@click.argument("name")
@click.option("-c", "--config", default="", metavar="FILE", help="Configuration; default: the usual places.")
def test(name: str, config: str) -> None:
    """Send a test to the webhook NAME, once, and say what came of it.

    With PagerDuty it opens an incident and resolves it.
    """
    import ssl

    import anyio

    from kahi.daemon.startup import load_everything
    from kahi.errors import KahiError, UnknownName
    from kahi_webhooks.trial import try_out

    loaded = load_everything(config)
    webhooks = loaded.config.sections.get("webhooks")
    if webhooks is None:
        raise KahiError("the plugin webhooks is disabled")
    if name not in webhooks:
        known = ", ".join(webhooks) or "none"
        raise KahiError(f"{UnknownName(name, 'webhook')} (in {loaded.config.path}: {known})")

    def narrow(context: ssl.SSLContext) -> None:
        loaded.plugins.narrow_tls(context, loaded.config)

    for line in anyio.run(try_out, name, webhooks[name], loaded.config.supervisor.identifier, narrow):
        click.echo(line)
