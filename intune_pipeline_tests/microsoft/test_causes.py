"""Every answer of Microsoft that is known by its code finds its cause, and every other one finds none."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intune_pipeline.microsoft.causes import Audience, Cause, MicrosoftError, Severity
from intune_pipeline.microsoft.error_answers import (
    cause_of_graph_answer,
    cause_of_token_answer,
    entra_code,
    graph_code,
    graph_request_id,
)


def entra(code: int, error: str = "invalid_request") -> dict[str, Any]:
    return {"error": error, "error_description": f"AADSTS{code}: Words.\r\nTrace ID: t", "error_codes": [code]}


def graph(code: str, message: str = "Words.", request_id: str = "r-1") -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "innerError": {"request-id": request_id}}}


@pytest.mark.parametrize(
    ("status", "code", "cause"),
    [
        (400, 65001, Cause.CONSENT_MISSING),
        (400, 700016, Cause.CONSENT_MISSING),
        (401, 7000229, Cause.CONSENT_MISSING),
        (400, 7000112, Cause.APP_DISABLED),
        (400, 90002, Cause.TENANT_UNKNOWN),
        (400, 53003, Cause.CONDITIONAL_ACCESS),
        (400, 50079, Cause.CONDITIONAL_ACCESS),
        (401, 7000215, Cause.OUR_CREDENTIAL),
        (401, 7000222, Cause.OUR_CREDENTIAL),
        (401, 700027, Cause.OUR_CREDENTIAL),
        (401, 700213, Cause.OUR_CREDENTIAL),
        (401, 5002727, Cause.OUR_CREDENTIAL),
        (400, 500011, Cause.CONSENT_MISSING),
        (400, 650051, Cause.CONSENT_MISSING),
        (400, 650052, Cause.CONSENT_MISSING),
        (400, 650056, Cause.CONSENT_MISSING),
        (400, 500014, Cause.APP_DISABLED),
        (400, 50105, Cause.ASSIGNMENT_REQUIRED),
        (400, 501051, Cause.ASSIGNMENT_REQUIRED),
        (400, 5000224, Cause.TENANT_BLOCKED),
        (400, 5000225, Cause.TENANT_BLOCKED),
        (400, 530032, Cause.CONDITIONAL_ACCESS),
        (400, 500021, Cause.CONDITIONAL_ACCESS),
        (401, 50012, Cause.OUR_CREDENTIAL),
        (401, 50013, Cause.OUR_CREDENTIAL),
        (400, 900023, Cause.TENANT_UNKNOWN),
        (400, 90006, Cause.OUTAGE),
        (400, 90012, Cause.OUTAGE),
        (400, 90024, Cause.OUTAGE),
        (400, 90033, Cause.OUTAGE),
        (400, 50196, Cause.THROTTLED),
        (400, 90055, Cause.THROTTLED),
        (400, 70011, Cause.UNEXPECTED),
        (400, 50034, Cause.UNEXPECTED),
    ],
)
def test_entra_is_recognised_by_its_number_in_the_list_or_in_the_text(status: int, code: int, cause: Cause) -> None:
    body = entra(code)
    assert cause_of_token_answer(status, body) is cause
    assert cause_of_token_answer(status, {"error_description": body["error_description"]}) is cause
    assert entra_code(body) == f"AADSTS{code}"


@pytest.mark.parametrize(
    ("status", "body", "cause"),
    [
        (429, None, Cause.THROTTLED),
        (503, b"<html>", Cause.OUTAGE),
        (500, {"error": "server_error"}, Cause.OUTAGE),
        (None, {"error": "temporarily_unavailable"}, Cause.OUTAGE),
        (200, None, Cause.OUTAGE),
        (403, "<html>proxy</html>", Cause.OUTAGE),
        (200, ["no object"], Cause.OUTAGE),
        (499, {"error": "any"}, Cause.UNEXPECTED),
        (400, {"error": "any"}, Cause.UNEXPECTED),
        (None, None, Cause.UNEXPECTED),
    ],
)
def test_entra_without_a_number_is_recognised_by_its_status(status: int | None, body: object, cause: Cause) -> None:
    assert cause_of_token_answer(status, body) is cause


@pytest.mark.parametrize(
    ("status", "body", "cause"),
    [
        (400, graph("BadRequest", "Request not applicable to target tenant."), Cause.NO_INTUNE_LICENCE),
        (400, graph("BadRequest", "Resource not found for the segment 'devices'."), Cause.UNEXPECTED),
        (401, graph("Authorization_IdentityNotFound"), Cause.CONSENT_MISSING),
        (401, graph("InvalidAuthenticationToken"), Cause.UNEXPECTED),
        (401, graph("UnknownError", '{"ErrorCode":"Forbidden","Message":"{}"}'), Cause.PERMISSION_REMOVED),
        (401, graph("UnknownError", '{ "errorCode" : "forbidden" }'), Cause.PERMISSION_REMOVED),
        (401, graph("UnknownError", "Forbidden"), Cause.UNEXPECTED),
        (400, graph("UnknownError", '{"ErrorCode":"Forbidden"}'), Cause.UNEXPECTED),
        (400, graph("BadRequest", "Request NOT applicable to target tenant"), Cause.NO_INTUNE_LICENCE),
        (403, graph("Forbidden", "Request not applicable to target tenant."), Cause.PERMISSION_REMOVED),
        (405, graph("BadRequest", "Request not applicable to target tenant."), Cause.UNEXPECTED),
        (408, {}, Cause.OUTAGE),
        (409, graph("Conflict"), Cause.OUTAGE),
        (423, graph("Locked"), Cause.OUTAGE),
        (509, {}, Cause.THROTTLED),
        (403, graph("Forbidden"), Cause.PERMISSION_REMOVED),
        (404, graph("ResourceNotFound"), Cause.NOT_FOUND),
        (429, graph("UnknownError", ""), Cause.THROTTLED),
        (500, graph("InternalError"), Cause.OUTAGE),
        (502, "<html>Bad gateway</html>", Cause.OUTAGE),
        (503, graph("CancelledOnServiceTimeout"), Cause.OUTAGE),
        (504, {}, Cause.OUTAGE),
        (302, None, Cause.UNEXPECTED),
        (418, {"error": "teapot"}, Cause.UNEXPECTED),
    ],
)
def test_graph_is_recognised_by_status_and_code(status: int, body: object, cause: Cause) -> None:
    assert cause_of_graph_answer(status, body) is cause


def test_the_request_id_comes_from_the_header_else_the_body_else_intunes_activity_id() -> None:
    activity = "An error has occurred - Activity ID: ce80e7e8-8a96-4c03-898c-d85f9cdf805a - Url: https://x"
    assert graph_request_id({"request-id": "h-1"}, graph("Any")) == "h-1"
    assert graph_request_id({}, graph("Any")) == "r-1"
    assert graph_request_id({}, {"error": {"message": activity}}) == "ce80e7e8-8a96-4c03-898c-d85f9cdf805a"
    assert graph_request_id({}, None) == ""


def test_a_code_that_is_free_text_is_not_repeated() -> None:
    assert graph_code(graph("No method matches ada@acme.example")) == ""


def test_an_error_shows_ids_and_a_sentence_but_nothing_that_microsoft_wrote() -> None:
    error = MicrosoftError(
        Cause.UNEXPECTED, tenant_id="t-1", status=400, code="BadRequest", request_id="r-1", note="what we noticed"
    )
    assert str(error) == (
        "Microsoft gave an answer that allwhere does not know: the operator looks it up by its request id "
        "(tenant t-1, status 400, code BadRequest, request id r-1, what we noticed)."
    )
    assert repr(error) == f"MicrosoftError({str(error)!r})"
    assert str(MicrosoftError(Cause.UNEXPECTED, tenant_id="t-1")) == (
        "Microsoft gave an answer that allwhere does not know: the operator looks it up by its request id (tenant t-1)."
    )


@pytest.mark.parametrize("cause", Cause)
def test_every_cause_is_one_sentence_for_somebody_and_blames_customers_for_nothing_of_ours(cause: Cause) -> None:
    assert cause.sentence.endswith(".")
    assert ". " not in cause.sentence
    assert cause.connection_status in {None, "needs_consent", "error"}
    if cause.audience is Audience.OPERATOR:
        assert cause.connection_status is None
    if cause.retry:
        assert cause.severity is Severity.WARNING


_names = st.sampled_from(["error", "code", "message", "innerError", "error_codes", "error_description"])
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(_names, inner),
    max_leaves=8,
)


@settings(deadline=None)
@given(status=st.integers(100, 599), body=_json)
def test_no_body_however_odd_breaks_the_recognition(status: int, body: object) -> None:
    assert isinstance(cause_of_graph_answer(status, body), Cause)
    assert isinstance(cause_of_token_answer(status, body), Cause)
    assert isinstance(graph_request_id({}, body), str)


# What each recorded answer means; one that is not named here must come out as unexpected.
RECORDED_CAUSES = {
    "400_no_intune_licence": Cause.NO_INTUNE_LICENCE,
    "401_Authorization_IdentityNotFound": Cause.CONSENT_MISSING,
    "401_forbidden": Cause.PERMISSION_REMOVED,
    "403": Cause.PERMISSION_REMOVED,
    "404": Cause.NOT_FOUND,
    "429": Cause.THROTTLED,
    "500": Cause.OUTAGE,
    "503": Cause.OUTAGE,
    "504": Cause.OUTAGE,
    "AADSTS65001": Cause.CONSENT_MISSING,
    "AADSTS700016": Cause.CONSENT_MISSING,
    "AADSTS7000112": Cause.APP_DISABLED,
    "AADSTS90002": Cause.TENANT_UNKNOWN,
    "AADSTS50079": Cause.CONDITIONAL_ACCESS,
    "AADSTS5002727": Cause.OUR_CREDENTIAL,
    "AADSTS7000215": Cause.OUR_CREDENTIAL,
    "AADSTS7000222": Cause.OUR_CREDENTIAL,
    "AADSTS700213": Cause.OUR_CREDENTIAL,
}


def recorded() -> Iterator[Any]:
    """Answers that people were given by Microsoft, cut to their facts; ``source`` says where each was published."""
    for answer in json.loads(Path(__file__).with_name("recorded_answers.json").read_text()):
        name = answer["name"]
        cause = next((c for begin, c in RECORDED_CAUSES.items() if name.startswith(begin)), Cause.UNEXPECTED)
        yield pytest.param(answer, cause, id=name)


@pytest.mark.parametrize(("answer", "cause"), list(recorded()))
def test_recorded_answers_find_their_cause_and_keep_their_request_id(answer: dict[str, Any], cause: Cause) -> None:
    status, body, headers = answer["status"], answer["body"], answer["headers"]
    if answer["from"] == "entra":
        assert cause_of_token_answer(status, body) is cause
        assert entra_code(body) == answer["name"].split("_")[0]
        return
    assert cause_of_graph_answer(status, body) is cause
    assert graph_request_id(headers, body)
