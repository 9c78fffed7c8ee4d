"""What ``doctor`` finds out about a tenant."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from intune_pipeline.microsoft.causes import Cause, MicrosoftError
from intune_pipeline.microsoft.cloud import Credential, MicrosoftCloud
from intune_pipeline.microsoft.health import Step, check_tenant, clock_skew
from intune_pipeline.sandbox.tenants import SandboxTenant
from intune_pipeline_tests.microsoft.conftest import Connect
from intune_pipeline_tests.microsoft.scripted_graph import Said, ScriptedGraph


def test_a_healthy_tenant_passes_every_step(
    cloud: MicrosoftCloud, credential: Credential, tenant: SandboxTenant
) -> None:
    assert list(check_tenant(cloud, credential, tenant.tenant_id)) == [
        Step("authority", True, f"{cloud.login_url} knows tenant {tenant.tenant_id}."),
        Step("token", True, "Microsoft Entra accepts our credential for this tenant."),
        Step("role", True, "The token holds DeviceManagementManagedDevices.Read.All."),
        Step("Graph", True, f"{cloud.graph_url} lists devices of this tenant."),
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


@pytest.fixture
def entra_says(
    scripted: tuple[ScriptedGraph, Connect], cloud: MicrosoftCloud, tmp_path: Path
) -> Callable[..., MicrosoftCloud]:
    """Makes a cloud whose Entra answers with these headers."""
    entra, _ = scripted
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(entra.ca_pem)

    def says(**headers: str) -> MicrosoftCloud:
        entra.script = lambda _: Said(body={"issuer": entra.url}, headers=headers)
        return MicrosoftCloud(entra.url, cloud.graph_url, bundle)

    return says


@pytest.mark.parametrize("form", ["%a, %d %b %Y %H:%M:%S GMT", "%a, %d %b %Y %H:%M:%S -0000"], ids=["GMT", "no zone"])
@pytest.mark.parametrize("ahead", [timedelta(hours=-5), timedelta(minutes=7)], ids=["behind", "ahead"])
def test_the_skew_is_how_far_our_clock_is_ahead_of_entras(
    entra_says: Callable[..., MicrosoftCloud], form: str, ahead: timedelta
) -> None:
    theirs = datetime.now(UTC) - ahead
    assert abs(clock_skew(entra_says(Date=theirs.strftime(form))) - ahead) < timedelta(seconds=30)


@pytest.mark.parametrize("headers", [{}, {"Date": "yesterday"}], ids=["no date", "no date that can be read"])
def test_the_clock_cannot_be_compared_with_an_answer_without_date(
    entra_says: Callable[..., MicrosoftCloud], headers: dict[str, str]
) -> None:
    with pytest.raises(MicrosoftError) as caught:
        clock_skew(entra_says(**headers))
    assert caught.value.cause is Cause.UNEXPECTED
    assert str(caught.value) == (
        "Microsoft gave an answer that allwhere does not know: the operator looks it up by its request id "
        "(tenant organizations, an answer without a date)."
    )


def test_the_clock_cannot_be_compared_with_nobody(cloud: MicrosoftCloud) -> None:
    with pytest.raises(MicrosoftError) as caught:
        clock_skew(MicrosoftCloud("https://127.0.0.1:9", cloud.graph_url, cloud.ca_bundle))
    assert caught.value.cause is Cause.OUTAGE
    assert str(caught.value).endswith("(tenant organizations, https://127.0.0.1:9: no connection).")
