"""Whether frames may be used now: not too old, of the connected tenant, and of one list.

Belongs here: refusing frames, in a sentence. Does not belong here: what frames hold (``frame_conversion``).
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from intune_pipeline.errors import WrongUseError
from intune_pipeline.inventory import connections
from intune_pipeline.inventory.frames import Listing, Snapshot


class InputsRefusedError(WrongUseError):
    """Frames that must not be reconciled: too old, of another tenant, or of different listings."""


def accepted(connection: connections.Record, *, maximum_age: timedelta | None, **inputs: Snapshot) -> Listing:
    """The one listing that all frames stem from.

    Args:
        connection: the account's.
        maximum_age: how old a list may be; None: of any age, where nothing is written from it.
        inputs: the frame of each upstream asset, by the asset's name.

    Raises:
        InputsRefusedError: they are too old, of another tenant, or of different listings.
    """
    listings = {asset: snapshot.listing for asset, snapshot in inputs.items()}
    problem = refusal(listings, tenant_id=connection.tenant_id, now=datetime.now(UTC), maximum_age=maximum_age)
    if problem:
        raise InputsRefusedError(f"{connection.account}: {problem}")
    return next(iter(listings.values()))


def refusal(
    inputs: Mapping[str, Listing], *, tenant_id: str | None, now: datetime, maximum_age: timedelta | None
) -> str | None:
    """Why frames must not be used together now, as a sentence; None when they may.

    Args:
        inputs: the listing that each upstream asset's frame stems from.
        tenant_id: the tenant the account is connected to.
        now: aware.
        maximum_age: how old a listing may be; None: of any age.
    """
    for asset, listing in inputs.items():
        if listing.tenant_id != tenant_id:
            return f"{asset} holds devices of another tenant than the connected one; materialize it again."
        if maximum_age is not None and now - listing.listed_at > maximum_age:
            hours = maximum_age.total_seconds() / 3600
            return f"{asset} stems from a list of {listing.listed_at:%Y-%m-%d %H:%M} UTC, older than {hours:g} hours; materialize raw_intune_devices and what follows again."
    if len({listing.listing_id for listing in inputs.values()}) > 1:
        return f"{_listed(inputs)} stem from different lists; materialize them again from the same one."
    return None


def _listed(names: Iterable[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last
