"""cairn-sync's fleet run from Intune into Snipe-IT, as its own command does it, with its console output counted.

cairn can be pointed at another Graph and login, but not told another scope: it always asks for
``https://graph.microsoft.com/.default``, which only the real Entra grants. The scope is changed after its own set-up; all
else is cairn's. It takes the certificate authority from REQUESTS_CA_BUNDLE.
"""

import os
import sys

from cairn.orchestrator import Orchestrator
from cairn.sources.intune import IntuneSource

own_setup = IntuneSource.setup


def setup(self: IntuneSource) -> None:
    own_setup(self)
    self.oauth.scope = f"{os.environ['MICROSOFT_GRAPH_URL']}/.default"


def main(tenant_id: str, snipe_it: str) -> None:
    IntuneSource.setup = setup
    intune = {
        "enabled": True,
        "tenant_id": tenant_id,
        "client_id": os.environ["MICROSOFT_CLIENT_ID"],
        "client_secret": os.environ["MICROSOFT_CLIENT_SECRET"],
        "graph_base": f"{os.environ['MICROSOFT_GRAPH_URL']}/v1.0",
        "login_base": os.environ["MICROSOFT_LOGIN_URL"],
    }
    summary = Orchestrator(
        {
            "mode": "fleet",
            "source_priority": ["intune"],
            "sources": {"intune": intune},
            "sinks": {"snipeit": {"enabled": True, "url": snipe_it, "token": "bench"}},
            "notifiers": {},
        }
    ).run()
    print(summary.as_text())


if __name__ == "__main__":
    main(*sys.argv[1:])
