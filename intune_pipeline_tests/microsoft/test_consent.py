"""An administrator grants the application its permission, and the grant is proven."""

from datetime import timedelta
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest

from intune_pipeline.microsoft.causes import Cause
from intune_pipeline.microsoft.cloud import Credential, MicrosoftCloud
from intune_pipeline.microsoft.consent import (
    ConsentAnswer,
    ConsentOutcome,
    GrantCheck,
    GrantOutcome,
    admin_consent_url,
    parse_consent_redirect,
    verify_grant,
)
from intune_pipeline.sandbox.cloud import SandboxCloud
from intune_pipeline.sandbox.tenants import SandboxTenant
from intune_pipeline_tests.microsoft.browser import REDIRECT_URI, visit

GUID = "fa00d692-e9c7-4460-a743-29f2956fd429"
SOON = timedelta(seconds=1)


def read(query: str) -> ConsentAnswer:
    return parse_consent_redirect(dict(parse_qsl(query)))


def test_the_consent_page_is_asked_for_everything_registered() -> None:
    cloud = MicrosoftCloud("https://login.example", "https://graph.example")
    url = urlsplit(admin_consent_url(cloud, "app", redirect_uri="https://portal.example/back?x=1", state="s&1"))
    assert (url.netloc, url.path) == ("login.example", "/organizations/v2.0/adminconsent")
    assert parse_qs(url.query) == {
        "client_id": ["app"],
        "scope": ["https://graph.example/.default"],
        "redirect_uri": ["https://portal.example/back?x=1"],
        "state": ["s&1"],
    }


@pytest.mark.parametrize(
    ("query", "outcome"),
    [
        (f"admin_consent=True&tenant={GUID}&state=1&scope=https%3a%2f%2fgraph", ConsentOutcome.GRANTED),
        (f"admin_consent=true&tenant={GUID.upper()}", ConsentOutcome.GRANTED),
        (f"error=access_denied&error_subcode=cancel&state=1&admin_consent=True&tenant={GUID}", ConsentOutcome.DECLINED),
        ("error=permission_denied&error_description=The+admin+canceled+the+request", ConsentOutcome.DECLINED),
        ("error=access_denied&error_description=AADSTS65004%3a+User+declined", ConsentOutcome.DECLINED),
        ("error=access_denied&error_description=AADSTS90094%3a+Admin", ConsentOutcome.APPROVAL_NEEDED),
        ("error=access_denied&error_description=AADSTS650052%3a+The+app+needs", ConsentOutcome.SERVICE_MISSING),
        ("error=server_error&error_description=AADSTS50194%3A+not+multi-tenant", ConsentOutcome.FAILED),
        ("error=temporarily_unavailable", ConsentOutcome.FAILED),
        ("admin_consent=True&tenant={TENANT_ID}", ConsentOutcome.UNRECOGNISED),
        ("admin_consent=True", ConsentOutcome.UNRECOGNISED),
        (f"admin_consent=False&tenant={GUID}", ConsentOutcome.UNRECOGNISED),
        (f"tenant={GUID}", ConsentOutcome.UNRECOGNISED),
        ("", ConsentOutcome.UNRECOGNISED),
    ],
)
def test_every_way_back_has_its_outcome_and_an_error_wins(query: str, outcome: ConsentOutcome) -> None:
    assert read(query).outcome is outcome


def test_the_tenant_is_a_claim_in_one_form_and_the_state_may_be_missing() -> None:
    answer = read(f"admin_consent=True&tenant={GUID.upper()}")
    assert answer == ConsentAnswer(ConsentOutcome.GRANTED, GUID, None)


def test_a_failure_keeps_its_code_and_cause() -> None:
    answer = read(f"error=temporarily_unavailable&error_description=Later.&state=s&tenant={GUID}")
    assert answer == ConsentAnswer(ConsentOutcome.FAILED, GUID, "s", Cause.OUTAGE, "temporarily_unavailable")
    assert read("error=server_error&error_description=AADSTS50194%3A+x").code == "AADSTS50194"


def test_consent_at_the_page_is_proven_by_a_call(
    sandbox: SandboxCloud, cloud: MicrosoftCloud, credential: Credential, tenant: SandboxTenant
) -> None:
    tenant.consented = tenant.role_granted = False
    assert verify_grant(cloud, credential, tenant.tenant_id, within=SOON).cause is Cause.CONSENT_MISSING
    url = admin_consent_url(cloud, sandbox.client_id, redirect_uri=REDIRECT_URI, state="s-1")
    administrator, _ = tenant.directory
    answer = parse_consent_redirect(visit(sandbox, url, tenant, administrator, "accept"))
    assert answer == ConsentAnswer(ConsentOutcome.GRANTED, tenant.tenant_id, "s-1")
    assert verify_grant(cloud, credential, tenant.tenant_id, within=SOON) == GrantCheck(GrantOutcome.GRANTED)


def test_cancelling_at_the_page_is_declined(
    sandbox: SandboxCloud, cloud: MicrosoftCloud, tenant: SandboxTenant
) -> None:
    url = admin_consent_url(cloud, sandbox.client_id, redirect_uri=REDIRECT_URI, state="s-1")
    answer = parse_consent_redirect(visit(sandbox, url, tenant, tenant.directory[0], "cancel"))
    assert answer.outcome is ConsentOutcome.DECLINED


@pytest.mark.parametrize(
    ("switch", "value", "outcome", "cause"),
    [
        ("consented", False, GrantOutcome.NOT_YET, Cause.CONSENT_MISSING),
        ("role_granted", False, GrantOutcome.NOT_YET, Cause.PERMISSION_REMOVED),
        ("intune_licensed", False, GrantOutcome.REFUSED, Cause.NO_INTUNE_LICENCE),
        ("app_disabled", True, GrantOutcome.REFUSED, Cause.APP_DISABLED),
        ("exists", False, GrantOutcome.REFUSED, Cause.TENANT_UNKNOWN),
    ],
)
def test_what_consent_may_still_bring_is_told_from_what_it_will_not(
    cloud: MicrosoftCloud,
    credential: Credential,
    tenant: SandboxTenant,
    switch: str,
    value: bool,
    outcome: GrantOutcome,
    cause: Cause,
) -> None:
    setattr(tenant, switch, value)
    check = verify_grant(cloud, credential, tenant.tenant_id, within=SOON)
    assert (check.outcome, check.cause) == (outcome, cause)


def test_an_outage_while_proving_means_not_yet(
    cloud: MicrosoftCloud, credential: Credential, tenant: SandboxTenant, sandbox: SandboxCloud
) -> None:
    sandbox.faults.error_rate = 1.0
    check = verify_grant(cloud, credential, tenant.tenant_id, within=SOON)
    assert (check.outcome, check.cause) == (GrantOutcome.NOT_YET, Cause.OUTAGE)
