"""``portal``: the customers' page.

Belongs here: starting it. Does not belong here: the page (``portal``).
"""

import click


@click.command("portal")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, help="Port to listen on.")
def command(host: str, port: int) -> None:
    """Serve the portal; a reverse proxy with TLS belongs before it in production."""
    import uvicorn

    from intune_pipeline import garbage_collector
    from intune_pipeline.cli import store
    from intune_pipeline.inventory.roles import Role
    from intune_pipeline.portal.app import create_app
    from intune_pipeline.portal.serving import server_config
    from intune_pipeline.settings import MicrosoftSettings, PortalSettings, Settings

    with store.opened(role=Role.PORTAL) as engine:
        app = create_app(Settings.load(), PortalSettings.load(), MicrosoftSettings.load(), engine)
        garbage_collector.collect_rarely()  # As a server does, which lives longer than what commands leave uncollected.
        uvicorn.Server(server_config(app, host=host, port=port)).run()
