"""An account's own classification rules, tried before the catalogue, and what a new one would change.

Belongs here: listing, adding, removing, ordering, previewing. Does not belong here: what a rule means
(``domain.classification``).
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy import Connection

from intune_pipeline.domain.classification import AccountRule, Classifier, CompiledRule
from intune_pipeline.domain.facts import fact_values
from intune_pipeline.domain.patterns import check_pattern
from intune_pipeline.domain.rule_budget import RuleBudget
from intune_pipeline.domain.vocabulary import DeviceType
from intune_pipeline.errors import WrongUseError
from intune_pipeline.inventory import accounts, audit
from intune_pipeline.inventory.schema import account_rules

MOST_RULES: Final = 200
"""Rules of one account."""

PREVIEW_SECONDS: Final = 1.0
SYNC_SECONDS: Final = 30.0
"""What an account's rules may take in one sync, all devices together."""


class RuleError(WrongUseError):
    """A rule cannot be added, or there is none of this id."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; the attributes are the columns of ``account_rules``."""

    id: int
    position: int
    maker_pattern: str
    model_pattern: str
    device_type: str
    note: str
    created_by: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Change:
    """Known devices of one model whose type a rule would change.

    Attributes:
        manufacturer: as Intune shows it.
        model: likewise.
        device_type: what they are now.
        new_device_type: what they would be.
        devices: how many.
    """

    manufacturer: str
    model: str
    device_type: str
    new_device_type: str
    devices: int

    @property
    def model_name(self) -> str:
        """The model for people; "" when Intune shows none."""
        return fact_values("", self.manufacturer, self.model).get("model_name", "")


def every(db: Connection, account: str) -> list[Rule]:
    """An account's rules in the order they are tried.

    Raises:
        UnknownAccountError: there is no such account.
    """
    owner = accounts.get(db, account)
    query = (
        sa.select(*(account_rules.c[name] for name in Rule.__slots__))
        .where(account_rules.c.account_id == owner.id)
        .order_by(account_rules.c.position)
    )
    return [Rule(**row) for row in db.execute(query).mappings()]


@dataclass(frozen=True, slots=True)
class KnownModel:
    """Known devices that look alike to a rule."""

    operating_system: str
    manufacturer: str
    model: str
    devices: int


@dataclass(frozen=True, slots=True)
class Known:
    """What a preview looks at: read in a transaction, judged after it."""

    rules: list[AccountRule]
    models: list[KnownModel]


def for_classifier(db: Connection, account: str) -> list[AccountRule]:
    """The same as the domain's rules.

    Raises:
        UnknownAccountError: there is no such account.
    """
    return [
        AccountRule(str(rule.id), rule.maker_pattern, rule.model_pattern, DeviceType(rule.device_type), rule.note)
        for rule in every(db, account)
    ]


def classifier(rules: Sequence[AccountRule]) -> Classifier:
    """The classifier of a sync: an account pays for its own rules, up to `SYNC_SECONDS`.

    Raises:
        PatternError: a pattern of a rule cannot be used.
    """
    return Classifier(rules, RuleBudget(SYNC_SECONDS, time.thread_time) if rules else None)


def known(db: Connection, account: str) -> Known:
    """An account's rules and the models of its devices, each model once.

    Raises:
        UnknownAccountError: there is no such account.
    """
    models = [KnownModel(*row) for row in db.execute(_KNOWN, {"account": account})]
    return Known(for_classifier(db, account), models)


def preview(
    of: Known,
    maker_pattern: str,
    model_pattern: str,
    device_type: str,
    *,
    timer: Callable[[], float] = time.thread_time,
) -> list[Change]:
    """What a new rule, tried after the account's others, would make of the devices known now; most devices first.

    Args:
        of: what is known, from `known`; no database connection is needed any more.
        maker_pattern: RE2, case ignored; empty matches every maker.
        model_pattern: RE2, case ignored.
        device_type: one of ``domain.classification.DEVICE_TYPES``.
        timer: counts the seconds a preview may take; those of this thread's work, however busy the machine is.

    Raises:
        RuleError: the type cannot be used.
        PatternError: a pattern cannot be used.
        RuleTooDearError: it takes longer than `PREVIEW_SECONDS`.
    """
    decided = matched(of, maker_pattern, model_pattern, device_type, timer=timer)
    return [change for change in decided if change.device_type != change.new_device_type]


def matched(
    of: Known,
    maker_pattern: str,
    model_pattern: str,
    device_type: str,
    *,
    timer: Callable[[], float] = time.thread_time,
) -> list[Change]:
    """Everything known that a new rule would decide, also where the type stays; see `preview`.

    Raises:
        RuleError: the type cannot be used.
        PatternError: a pattern cannot be used.
        RuleTooDearError: it takes longer than `PREVIEW_SECONDS`.
    """
    _check(maker_pattern, model_pattern, device_type)
    budget = RuleBudget(PREVIEW_SECONDS, timer)
    rule = CompiledRule(AccountRule("new", maker_pattern, model_pattern, DeviceType(device_type), ""), budget)
    catalogue = Classifier()
    before = Classifier(of.rules, budget)
    changes: Counter[tuple[str, str, str, str]] = Counter()
    for model in of.models:
        built_in = catalogue.classify(model.operating_system, model.manufacturer, model.model)
        if not rule.matches(model.manufacturer, model.model, built_in.rule):
            continue
        now = before.classify(model.operating_system, model.manufacturer, model.model)
        if not now.rule.startswith("account:"):
            changes[model.manufacturer, model.model, now.device_type, device_type] += model.devices
    return [Change(*key, devices) for key, devices in changes.most_common()]


def add(
    db: Connection,
    account: str,
    maker_pattern: str,
    model_pattern: str,
    device_type: str,
    *,
    note: str = "",
    created_by: str,
) -> int:
    """Add a rule behind the account's others; it takes effect at the next sync. Returns its id.

    Args:
        db: a connection in a transaction.
        account: the account's slug.
        maker_pattern: RE2, case ignored; empty matches every maker.
        model_pattern: RE2, case ignored.
        device_type: one of `DeviceType`.
        note: why; shown wherever the rule decides.
        created_by: who, also for the audit log.

    Raises:
        UnknownAccountError: there is no such account.
        RuleError: the type cannot be used, or the account has as many rules as it may.
        PatternError: a pattern cannot be used.
    """
    _check(maker_pattern, model_pattern, device_type)
    owner = _locked(db, account)
    if len(every(db, account)) >= MOST_RULES:
        raise RuleError(f"An account may have {MOST_RULES} rules. Remove one, or join some into one pattern.")
    highest = sa.select(sa.func.coalesce(sa.func.max(account_rules.c.position), 0) + 1).where(
        account_rules.c.account_id == owner.id
    )
    rule_id = db.execute(
        sa.insert(account_rules)
        .values(
            account_id=owner.id,
            position=highest.scalar_subquery(),
            maker_pattern=maker_pattern,
            model_pattern=model_pattern,
            device_type=device_type,
            note=note,
            created_by=created_by,
        )
        .returning(account_rules.c.id)
    ).scalar_one()
    described = {"maker_pattern": maker_pattern, "model_pattern": model_pattern, "device_type": device_type}
    audit.record(
        db, owner.id, actor=created_by, action="rule", subject=f"rule {rule_id} added", reason=note, **described
    )
    return int(rule_id)


def remove(db: Connection, account: str, rule_id: int, *, actor: str) -> None:
    """Remove a rule; it takes effect at the next sync.

    Raises:
        UnknownAccountError: there is no such account.
        RuleError: the account has no such rule.
    """
    owner = _locked(db, account)
    gone = db.execute(
        sa.delete(account_rules)
        .where(account_rules.c.account_id == owner.id, account_rules.c.id == rule_id)
        .returning(account_rules.c.maker_pattern, account_rules.c.model_pattern, account_rules.c.device_type)
    ).mappings().one_or_none()  # fmt: skip
    if gone is None:
        raise RuleError(f"{account} has no rule {rule_id}; see: intune-pipeline rules list {account}")
    audit.record(db, owner.id, actor=actor, action="rule", subject=f"rule {rule_id} removed", **gone)


def reorder(db: Connection, account: str, rule_ids: Sequence[int], *, actor: str) -> None:
    """Try an account's rules in this order from the next sync on.

    Raises:
        UnknownAccountError: there is no such account.
        RuleError: these are not exactly the account's rules.
    """
    owner = _locked(db, account)
    before = [rule.id for rule in every(db, account)]
    if sorted(before) != sorted(rule_ids):
        raise RuleError(f"Name each rule of {account} once: {', '.join(map(str, before)) or 'it has none'}.")
    db.execute(
        sa.text("""
            update account_rules r set position = ordered.position
            from unnest(cast(:ids as bigint[])) with ordinality as ordered (id, position) where r.id = ordered.id
        """),
        {"ids": list(rule_ids)},
    )
    audit.record(db, owner.id, actor=actor, action="rule", subject="order", before=before, after=list(rule_ids))


def _check(maker_pattern: str, model_pattern: str, device_type: str) -> None:
    if not model_pattern.strip():
        raise RuleError("A rule needs a model pattern.")
    if device_type not in set(DeviceType):
        raise RuleError(f"{device_type!r} is no device type; there are {', '.join(DeviceType)}.")
    check_pattern(maker_pattern)
    check_pattern(model_pattern)


def _locked(db: Connection, account: str) -> accounts.Account:
    """The account, its rules left alone by others until the transaction ends."""
    owner = accounts.get(db, account)
    db.execute(sa.text("select from accounts where id = :id for no key update"), {"id": owner.id})
    return owner


_KNOWN = sa.text("""
    select coalesce(o.operating_system, ''), coalesce(o.manufacturer, ''), coalesce(o.model, ''), count(*)
    from device_outcomes o join connections c on c.id = o.connection_id join accounts a on a.id = c.account_id
    where a.slug = :account and o.ended_at is null
    group by 1, 2, 3
    order by 2, 3, 1
""")
