"""What ``doctor`` finds out about a tenant."""

from datetime import timedelta

import pytest

from intune_pipeline.microsoft.causes import Cause, MicrosoftError
from intune_pipeline.microsoft.cloud import Credential, MicrosoftCloud
from intune_pipeline.microsoft.health import check_tenant, clock_skew
from intune_pipeline.sandbox.tenants import SandboxTenant


def test_a_healthy_tenant_passes_every_step(
    cloud: MicrosoftCloud, credential: Credential, tenant: SandboxTenant
) -> None:
    steps = list(check_tenant(cloud, credential, tenant.tenant_id))
    assert [(step.name, step.passed) for step in steps] == [
        ("authority", True),
        ("token", True),
        ("role", True),
        ("Graph", True),
    ]


@pytest.mark.parametrize(
    ("switch", "value", "failed", "cause"),
    [
        ("exists", False, "authority", Cause.TENANT_UNKNOWN),
        ("consented", False, "token", Cause.CONSENT_MISSING),
        ("role_granted", False, "role", Cause.PERMISSION_REMOVED),
        ("intune_licensed", False, "Graph", Cause.NO_INTUNE_LICENCE),
    ],
)
def test_the_first_step_that_fails_says_what_to_do(
    cloud: MicrosoftCloud,
    credential: Credential,
    tenant: SandboxTenant,
    switch: str,
    value: bool,
    failed: str,
    cause: Cause,
) -> None:
    setattr(tenant, switch, value)
    *passed, last = check_tenant(cloud, credential, tenant.tenant_id)
    assert all(step.passed for step in passed)
    assert (last.name, last.passed) == (failed, False)
    assert last.sentence.startswith(cause.sentence.removesuffix("."))


def test_our_clock_agrees_with_that_of_this_machine(cloud: MicrosoftCloud) -> None:
    assert abs(clock_skew(cloud)) < timedelta(seconds=30)


def test_the_clock_cannot_be_compared_with_nobody(cloud: MicrosoftCloud) -> None:
    with pytest.raises(MicrosoftError) as caught:
        clock_skew(MicrosoftCloud("https://127.0.0.1:9", cloud.graph_url, cloud.ca_bundle))
    assert caught.value.cause is Cause.OUTAGE
