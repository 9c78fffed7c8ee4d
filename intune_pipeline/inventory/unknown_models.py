"""Models a sync could not classify, so that somebody teaches them.

Belongs here: writing a run's list and reading the latest. Does not belong here: teaching (``account_rules``).
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql import insert

from intune_pipeline.domain.classification import NO_RULE, Classifier
from intune_pipeline.domain.facts import fact_values
from intune_pipeline.inventory import account_rules
from intune_pipeline.inventory.schema import unknown_models


@dataclass(frozen=True, slots=True)
class UnknownModel:
    """One model of unknown type; what Intune leaves empty is "".

    Attributes:
        operating_system: as Intune shows it.
        manufacturer: likewise.
        model: likewise.
        devices: how many a run saw.
        example_serial_number: the serial number of one of them.
    """

    operating_system: str
    manufacturer: str
    model: str
    devices: int
    example_serial_number: str | None

    @property
    def model_name(self) -> str:
        """The model for people; "" when Intune shows none."""
        return fact_values(self.operating_system, self.manufacturer, self.model).get("model_name", "")


def record(db: Connection, sync_run_id: int, connection_id: int, models: Iterable[UnknownModel]) -> None:
    """Keep a run's unknown models; those of the connection's earlier runs go.

    Args:
        db: a connection in a transaction.
        sync_run_id: the run that saw them.
        connection_id: the run's connection.
        models: at most one per operating system, manufacturer and model.
    """
    db.execute(sa.delete(unknown_models).where(unknown_models.c.connection_id == connection_id))
    rows = [{**asdict(model), "sync_run_id": sync_run_id, "connection_id": connection_id} for model in models]
    if rows:
        db.execute(insert(unknown_models), rows)


def latest(db: Connection, account: str) -> list[UnknownModel]:
    """The unknown models the account's last sync saw, the most frequent first."""
    query = sa.text("""
        select m.operating_system, m.manufacturer, m.model, m.devices, m.example_serial_number
        from unknown_models m join connections c on c.id = m.connection_id join accounts a on a.id = c.account_id
        where a.slug = :account
        order by m.devices desc, m.manufacturer, m.model, m.operating_system
    """)
    return [UnknownModel(**row) for row in db.execute(query, {"account": account}).mappings()]


def worth_teaching(db: Connection, account: str) -> list[UnknownModel]:
    """Those of the latest models that no rule knows to this day, neither allwhere's catalogue nor the account's own.

    Kinds that are known not to be employees' devices, such as servers and meeting-room screens, are none of them.
    """
    models = latest(db, account)
    classifier = Classifier(account_rules.for_classifier(db, account)) if models else None
    return [
        one
        for one in models
        if classifier and classifier.classify(one.operating_system, one.manufacturer, one.model).rule == NO_RULE
    ]
