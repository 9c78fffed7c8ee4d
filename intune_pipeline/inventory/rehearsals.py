"""Rehearsing changed rules over every known device of every account.

Belongs here: reading the devices' models and the accounts' rules. Does not belong here: comparing (``domain.rehearsal``).
"""

import sqlalchemy as sa
from sqlalchemy import Connection

from intune_pipeline.domain.catalogue import Catalogue
from intune_pipeline.domain.classification import Classifier
from intune_pipeline.domain.rehearsal import KnownModel, RehearsedChange, rehearse
from intune_pipeline.domain.vocabulary import DeviceType
from intune_pipeline.inventory import account_rules


def rehearsed(db: Connection, changed: Catalogue | None = None) -> list[RehearsedChange]:
    """What the installed catalogue, with changed rules before it, would judge otherwise; each distinct model once.

    Args:
        db: any connection that sees every account.
        changed: rules tried before the catalogue, after an account's own.
    """
    models = [
        KnownModel(**{**row, "device_type": DeviceType(row["device_type"])}) for row in db.execute(_MODELS).mappings()
    ]
    classifiers = {
        account: Classifier(account_rules.for_classifier(db, account), changed=changed)
        for account in dict.fromkeys(model.account for model in models)
    }
    return list(rehearse(models, classifiers))


#: Devices of the last lists that were left out for another reason than their type stay out whatever the rules say.
_MODELS = sa.text("""
    select a.slug as account, coalesce(o.operating_system, '') as operating_system,
           coalesce(o.manufacturer, '') as manufacturer, coalesce(o.model, '') as model,
           coalesce(o.device_type, 'unknown') as device_type, o.outcome = 'synced' as is_synced,
           count(*)::int as devices, count(distinct s.id)::int as assets,
           count(distinct s.id) filter (where s.assignee_id is not null)::int as assigned
    from device_outcomes o join connections c on c.id = o.connection_id join accounts a on a.id = c.account_id
    left join assets s on s.id = o.asset_id
    where o.ended_at is null and c.status <> 'disconnected'
      and (o.outcome = 'synced' or o.reason in ('desktop', 'unknown_type'))
    group by 1, 2, 3, 4, 5, 6
    order by 1, 7 desc, 3, 4, 2
""")
