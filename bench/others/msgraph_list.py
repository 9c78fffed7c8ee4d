"""Microsoft's own SDK listing the same devices with the same properties, page by page. Nothing is stored.

The SDK's HTTP client and azure-identity are given the sandbox's certificate authority, and instance discovery, which asks
the public cloud about the authority, is off.
"""

import asyncio
import os
import sys

import httpx
from azure.identity.aio import ClientSecretCredential
from kiota_authentication_azure.azure_identity_authentication_provider import AzureIdentityAuthenticationProvider
from msgraph import GraphServiceClient
from msgraph.generated.device_management.managed_devices.managed_devices_request_builder import (
    ManagedDevicesRequestBuilder,
)
from msgraph.graph_request_adapter import GraphRequestAdapter
from msgraph_core import GraphClientFactory


async def main(tenant_id: str, select: str) -> None:
    graph, ca = os.environ["MICROSOFT_GRAPH_URL"], os.environ["MICROSOFT_CA_BUNDLE"]
    credential = ClientSecretCredential(
        tenant_id,
        os.environ["MICROSOFT_CLIENT_ID"],
        os.environ["MICROSOFT_CLIENT_SECRET"],
        authority=os.environ["MICROSOFT_LOGIN_URL"],
        disable_instance_discovery=True,
        connection_verify=ca,
    )
    host = graph.removeprefix("https://")
    provider = AzureIdentityAuthenticationProvider(
        credential, scopes=[f"{graph}/.default"], allowed_hosts=[host, host.partition(":")[0]]
    )
    client = GraphClientFactory.create_with_default_middleware(client=httpx.AsyncClient(verify=ca, timeout=60))
    adapter = GraphRequestAdapter(provider, client)
    adapter.base_url = f"{graph}/v1.0"
    devices = GraphServiceClient(request_adapter=adapter).device_management.managed_devices
    parameters = ManagedDevicesRequestBuilder.ManagedDevicesRequestBuilderGetQueryParameters(
        select=select.split(","), top=1000
    )
    configuration = ManagedDevicesRequestBuilder.ManagedDevicesRequestBuilderGetRequestConfiguration(
        query_parameters=parameters
    )
    page = await devices.get(request_configuration=configuration)
    count = len(page.value)
    while page.odata_next_link:
        page = await devices.with_url(page.odata_next_link).get()
        count += len(page.value)
    await credential.close()
    print(count)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
