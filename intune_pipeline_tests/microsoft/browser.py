"""A person with a browser at the sandbox's Microsoft pages: opens, picks an account, decides, is sent back."""

from urllib.parse import parse_qsl, urlsplit

import requests

from intune_pipeline.sandbox.cloud import SandboxCloud
from intune_pipeline.sandbox.tenants import DirectoryUser, SandboxTenant

REDIRECT_URI = "https://127.0.0.1/integrations/intune/back"


def visit(
    sandbox: SandboxCloud, url: str, tenant: SandboxTenant, person: DirectoryUser, decision: str = ""
) -> dict[str, str]:
    """Submit the page's form as this person; the query they are sent back with."""
    form = {"account": f"{tenant.tenant_id}/{person.id}", "decision": decision}
    answer = requests.post(url, data=form, verify=str(sandbox.ca_bundle), allow_redirects=False, timeout=10)
    location = answer.headers["Location"]
    assert location.startswith(REDIRECT_URI)
    return dict(parse_qsl(urlsplit(location).query))
