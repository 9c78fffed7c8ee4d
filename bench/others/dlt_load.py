"""dlt's generic REST source into PostgreSQL: the same list, the same properties, replaced in one table. Nothing decided.

dlt's own HTTP session is used; it takes the certificate authority from REQUESTS_CA_BUNDLE.
"""

import os
import sys

import dlt
import requests
from dlt.sources.helpers.rest_client.auth import BearerTokenAuth
from dlt.sources.rest_api import rest_api_source


def main(tenant_id: str, select: str, work: str) -> None:
    graph = os.environ["MICROSOFT_GRAPH_URL"]
    credential = {
        "grant_type": "client_credentials",
        "client_id": os.environ["MICROSOFT_CLIENT_ID"],
        "client_secret": os.environ["MICROSOFT_CLIENT_SECRET"],
        "scope": f"{graph}/.default",
    }
    login = f"{os.environ['MICROSOFT_LOGIN_URL']}/{tenant_id}/oauth2/v2.0/token"
    token = requests.post(login, data=credential, timeout=60).json()["access_token"]
    source = rest_api_source(
        {
            "client": {
                "base_url": f"{graph}/v1.0/",
                "auth": BearerTokenAuth(token),
                "paginator": {"type": "json_link", "next_url_path": "'@odata.nextLink'"},
            },
            "resources": [
                {
                    "name": "managed_devices",
                    "write_disposition": "replace",
                    "endpoint": {
                        "path": "deviceManagement/managedDevices",
                        "params": {"$select": select, "$top": 1000},
                        "data_selector": "value",
                    },
                }
            ],
        }
    )
    pipeline = dlt.pipeline(
        "managed_devices",
        pipelines_dir=work,
        destination=dlt.destinations.postgres(os.environ["DLT_DATABASE_URL"]),
        dataset_name="dlt_load",
    )
    pipeline.run(source)
    print(pipeline.last_trace.last_normalize_info.row_counts["managed_devices"])


if __name__ == "__main__":
    main(*sys.argv[1:])
