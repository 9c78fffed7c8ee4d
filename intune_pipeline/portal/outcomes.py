"""Every way connecting can end other than well, in words.

Belongs here: one table. Does not belong here: recognising which one it is (``microsoft``, ``connect_pages``).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from intune_pipeline.domain.vocabulary import OwnershipProblem
from intune_pipeline.microsoft.causes import Audience, Cause
from intune_pipeline.microsoft.consent import ConsentOutcome


@dataclass(frozen=True, slots=True)
class Outcome:
    """An end of connecting.

    Attributes:
        title: in a few words.
        sentences: what happened and what to do, a paragraph each.
        again: whether trying again makes sense, with a button.
        status: the HTTP status of its page.
        code: Microsoft's short code, for support.
    """

    title: str
    sentences: tuple[str, ...]
    again: bool = True
    status: HTTPStatus = HTTPStatus.BAD_REQUEST
    code: str = ""


_UNCHANGED = "Nothing was changed in allwhere."
_WHO_CAN = "A Global Administrator or a Privileged Role Administrator of your Microsoft tenant can give it."
_OUTCOMES: Mapping[str, Outcome] = {
    ConsentOutcome.DECLINED: Outcome(
        "Consent was not given",
        (
            "Somebody chose Cancel at Microsoft, or Microsoft asked for an administrator's approval. " + _UNCHANGED,
            "allwhere needs consent to read your devices. "
            + _WHO_CAN
            + " Other roles, Cloud Application Administrator "
            "among them, cannot grant this permission.",
        ),
        status=HTTPStatus.OK,
    ),
    ConsentOutcome.APPROVAL_NEEDED: Outcome(
        "An administrator has to approve this",
        (
            "Microsoft did not let your user give consent for the whole organisation. " + _UNCHANGED,
            _WHO_CAN + " Ask one of them to sign in to allwhere as Primary Admin and connect, or to sit with you and "
            "sign in at Microsoft's page.",
        ),
        status=HTTPStatus.OK,
    ),
    ConsentOutcome.SERVICE_MISSING: Outcome(
        "Your tenant lacks a service",
        (
            "Microsoft says your organisation has not subscribed to a service this permission belongs to, most often "
            "Microsoft Intune. " + _UNCHANGED,
            "Check in the Microsoft 365 admin centre that an Intune licence is active, then connect again.",
        ),
        status=HTTPStatus.OK,
    ),
    ConsentOutcome.UNRECOGNISED: Outcome(
        "Nothing came back from Microsoft",
        ("This page was opened without an answer from Microsoft's consent page. " + _UNCHANGED,),
    ),
    "stateless": Outcome(
        "Thank you. One more step, in allwhere",
        (
            "You came here from Microsoft without having started in allwhere, as happens when consent is granted in "
            "Microsoft's own portal. " + _UNCHANGED,
            "To connect, start from the page Connect Microsoft Intune; Microsoft will not ask for much again.",
        ),
        status=HTTPStatus.OK,
    ),
    "state_unknown": Outcome(
        "This connection attempt is not yours to finish",
        (
            "It was started in another browser, by another user or account, or not in allwhere at all. " + _UNCHANGED,
            "Start again in this browser.",
        ),
    ),
    "state_used": Outcome(
        "This step was already done",
        (
            "Each step of connecting works once; this one was used before, for example by going back in the browser.",
            "Look at the status page. If Intune is not connected there, start again.",
        ),
        status=HTTPStatus.CONFLICT,
    ),
    "state_expired": Outcome(
        "That took too long",
        ("For your safety, each step of connecting works for 15 minutes only. " + _UNCHANGED, "Start again."),
        status=HTTPStatus.GONE,
    ),
    "sign_in_declined": Outcome(
        "You did not sign in at Microsoft",
        (
            "Consent was given, but nobody signed in afterwards, so allwhere cannot know which tenant is yours. "
            + _UNCHANGED,
            "Start again and sign in with an account of the tenant you want to connect.",
        ),
        status=HTTPStatus.OK,
    ),
    "sign_in_untrusted": Outcome(
        "The sign-in at Microsoft could not be trusted",
        ("Microsoft's answer was too old, used before or did not fit what was asked. " + _UNCHANGED, "Start again."),
    ),
    OwnershipProblem.WRONG_TENANT: Outcome(
        "Consent and sign-in are from different tenants",
        (
            "Consent was given for one Microsoft tenant, and you signed in with an account of another. " + _UNCHANGED,
            (
                "Start again and use accounts of the same tenant for both. Consent granted by mistake can be removed in "
                "Microsoft Entra under Enterprise applications."
            ),
        ),
        status=HTTPStatus.FORBIDDEN,
    ),
    OwnershipProblem.NO_ROLE: Outcome(
        "You are not an administrator of this Microsoft tenant",
        (
            "Belonging to a tenant is not enough to connect it: you signed in at Microsoft with a user who holds no role "
            "that may. " + _UNCHANGED,
            (
                "Start again and sign in as a Global Administrator or a Privileged Role Administrator. If you are given the "
                "role by Privileged Identity Management, activate it first. Otherwise ask your Microsoft administrator to sit "
                "with you and sign in at Microsoft's pages."
            ),
        ),
        status=HTTPStatus.FORBIDDEN,
    ),
    OwnershipProblem.ROLES_NOT_TOLD: Outcome(
        "Microsoft did not say which roles you hold",
        (
            "A tenant is connected only for one of its administrators, and Microsoft's answer said nothing about your "
            "directory roles. " + _UNCHANGED,
            (
                "If you are a Global Administrator or a Privileged Role Administrator, write to your allwhere contact: a setting "
                "of allwhere's application at Microsoft is missing, and allwhere's operators see it in their log. If you are "
                "not, start again and sign in as one."
            ),
        ),
        status=HTTPStatus.FORBIDDEN,
    ),
    OwnershipProblem.GUEST: Outcome(
        "Guests cannot connect a tenant",
        (
            "You signed in at Microsoft as a guest, whose home is another organisation or a personal account. "
            + _UNCHANGED,
            (
                "Start again and sign in with a user of the tenant itself who is a Global Administrator or a Privileged Role "
                "Administrator."
            ),
        ),
        status=HTTPStatus.FORBIDDEN,
    ),
    OwnershipProblem.PERSONAL_ACCOUNT: Outcome(
        "Personal Microsoft accounts cannot connect a tenant",
        (
            "You signed in with a personal Microsoft account, which belongs to no organisation. " + _UNCHANGED,
            "Start again and sign in with your work account, as a Global Administrator or a Privileged Role Administrator.",
        ),
        status=HTTPStatus.FORBIDDEN,
    ),
    "invitation_over": Outcome(
        "This link does not work any more",
        (
            "It was answered, refused or withdrawn, or is older than 72 hours. " + _UNCHANGED,
            "Ask the person who sent it for a new one.",
        ),
        again=False,
        status=HTTPStatus.GONE,
    ),
    OwnershipProblem.ANOTHER_ADMINISTRATOR: Outcome(
        "You signed in as somebody else",
        (
            "The sign-in before consent and the one after it have to be the same administrator's. " + _UNCHANGED,
            "Open the link again and use the same user for both.",
        ),
        again=False,
        status=HTTPStatus.FORBIDDEN,
    ),
    "refused_by_administrator": Outcome(
        "You refused",
        (
            "The admin who asked is told. allwhere reads nothing of your tenant for this organisation.",
            "If you gave consent before, you can take it back in Microsoft Entra: Enterprise applications, allwhere, Delete.",
        ),
        again=False,
        status=HTTPStatus.OK,
    ),
    "already_connected": Outcome(
        "This organisation is connected already",
        ("Microsoft Intune was connected in the meantime, so your consent is not needed. " + _UNCHANGED,),
        again=False,
        status=HTTPStatus.CONFLICT,
    ),
    "nothing_to_confirm": Outcome(
        "There is nothing to confirm any more",
        ("The administrator withdrew, or somebody else decided in the meantime. " + _UNCHANGED,),
        status=HTTPStatus.CONFLICT,
    ),
    "linked_elsewhere": Outcome(
        "This tenant is connected to another allwhere account",
        (
            "A Microsoft tenant belongs to one allwhere account, also after it was disconnected there. " + _UNCHANGED,
            (
                "If it has to move to this account, write to your allwhere contact: only allwhere moves a tenant, and tells "
                "the other account."
            ),
        ),
        status=HTTPStatus.CONFLICT,
    ),
    "other_tenant": Outcome(
        "Your account is connected to another tenant",
        (
            "This allwhere account is already connected to a different Microsoft tenant. " + _UNCHANGED,
            (
                "To change tenants, disconnect on the Settings page first. To repair the connection, use an account of the "
                "tenant that is connected."
            ),
        ),
        status=HTTPStatus.CONFLICT,
    ),
    "not_primary": Outcome(
        "Only Primary Admins can connect",
        ("Ask one of your company's Primary Admins to connect Microsoft Intune. " + _UNCHANGED,),
        again=False,
        status=HTTPStatus.FORBIDDEN,
    ),
}
_TITLES: Mapping[Cause, str] = {
    Cause.NO_INTUNE_LICENCE: "This tenant has no Intune",
    Cause.APP_DISABLED: "allwhere is disabled in your tenant",
    Cause.ASSIGNMENT_REQUIRED: "allwhere is not assigned in your tenant",
    Cause.TENANT_BLOCKED: "Microsoft has blocked your tenant",
    Cause.CONDITIONAL_ACCESS: "A policy of your tenant blocks allwhere",
    Cause.OUR_CREDENTIAL: "Something is wrong on our side",
    Cause.OUTAGE: "Microsoft cannot be reached",
    Cause.THROTTLED: "Microsoft asked us to wait",
}


def of_code(code: str) -> Outcome:
    """The outcome of this name."""
    return _OUTCOMES[code]


def of_cause(cause: Cause, code: str = "") -> Outcome:
    """The outcome of a refusal by Microsoft.

    Args:
        cause: what it means.
        code: Microsoft's short code, "" when there is none.
    """
    ours = cause.audience is Audience.OPERATOR
    sentence = (
        "allwhere has been told and works on it; nobody in your company did anything wrong." if ours else cause.sentence
    )
    if cause is Cause.UNEXPECTED:
        sentence = (
            "Microsoft answered with an error that allwhere does not know yet. It is recorded, and allwhere has been told. "
            "Try again in a few minutes; if it ends the same way, allwhere comes back to you."
        )
    if cause in {Cause.OUTAGE, Cause.THROTTLED, Cause.DEADLINE}:
        sentence = "Try again in a few minutes."
    return Outcome(
        _TITLES.get(cause, "Microsoft refused"),
        (sentence,),
        again=not ours or cause.retry or cause is Cause.UNEXPECTED,
        status=HTTPStatus.BAD_GATEWAY if ours else HTTPStatus.OK,
        code=code,
    )
