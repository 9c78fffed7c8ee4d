"""How a company writes its addresses and shows its names, learned from what is certain.

Belongs here: the convention of a mail domain as a value with its evidence. Does not belong here: which names are certain
(``names``) and in which forms a name makes an address (``addresses``).
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from types import MappingProxyType
from typing import Final, NamedTuple, TypeVar

T = TypeVar("T", bound=str)


class Order(StrEnum):
    """The order in which a display name without comma or capitals shows its parts."""

    FIRST_LAST = "first last"
    LAST_FIRST = "last first"


class Evidence(NamedTuple):
    """What one certain name says.

    Attributes:
        domain: Of its address, lower case.
        form: How the address is made of it, None where it is not.
        order: How the display name shows it, None where the name states it (a comma, capitals) or there is none.
    """

    domain: str
    form: str | None
    order: Order | None


@dataclass(frozen=True)
class Convention:
    """A mail domain's convention.

    Attributes:
        forms: How many certain names make their addresses in each form, the most frequent first.
        orders: How many certain names are shown in each order.
    """

    forms: tuple[tuple[str, int], ...] = ()
    orders: tuple[tuple[Order, int], ...] = ()

    @cached_property
    def _log_forms(self) -> dict[str, float]:
        total = sum(count for _, count in self.forms) + _DOUBT
        counts = dict(self.forms)
        return {
            form: math.log((counts.get(form, 0) + _DOUBT * usual(form)) / total)
            for form in {*counts, *_EVERY_FORM}
        }  # fmt: skip

    @cached_property
    def _log_orders(self) -> dict[Order, float]:
        total = sum(count for _, count in self.orders) + _DOUBT
        counts = dict(self.orders)
        return {order: math.log((counts.get(order, 0) + _DOUBT * share) / total) for order, share in _ORDERS.items()}

    def log_form(self, form: str) -> float:
        """The logarithm of the chance that an address has a form."""
        known = self._log_forms
        return known[form] if form in known else math.log(_DOUBT * usual(form) / (_DOUBT + 1))

    def log_order(self, order: Order) -> float:
        """The logarithm of the chance that a display name is shown in an order."""
        return self._log_orders[order]

    @cached_property
    def knows_orders(self) -> float:
        """How well the order of display names is known, from 0 to 1."""
        return min(sum(count for _, count in self.orders) / _DOUBT, 1.0)

    @property
    def shows_first_name_first(self) -> bool:
        """Whether display names show the first name first, as far as is known."""
        return self.log_order(Order.FIRST_LAST) > self.log_order(Order.LAST_FIRST)

    def share(self, form: str) -> tuple[int, int]:
        """How many of all certain addresses have a form."""
        return dict(self.forms).get(form, 0), sum(count for _, count in self.forms)

    def __str__(self) -> str:
        """For people: "first.last (41 of 45 certain names)"."""
        if not self.forms:
            return "not known yet"
        form, count = self.forms[0]
        total = sum(number for _, number in self.forms)
        return f"{form} ({count} of {total} certain {'name' if total == 1 else 'names'})"


UNKNOWN: Final = Convention()
"""The convention of a domain nothing is known about: the order shown is the order meant."""


class Conventions:
    """The conventions of one account's mail domains.

    Args:
        source: The convention of each domain of which something certain is known, or what learns them when the first
            name is read: on most days none is.
    """

    def __init__(self, source: Mapping[str, Convention] | Callable[[], "Conventions"] = MappingProxyType({})) -> None:
        self._source = source

    @cached_property
    def by_domain(self) -> Mapping[str, Convention]:
        """The convention of each domain of which something certain is known."""
        return self._source().by_domain if callable(self._source) else self._source

    def of(self, email: str) -> Convention:
        """The convention of an address's domain."""
        return self.by_domain.get(domain_of(email), UNKNOWN)


NO_CONVENTIONS: Final = Conventions()


def domain_of(email: str) -> str:
    """The domain of an address, lower case."""
    return email.rpartition("@")[2].lower()


def conventions_of(evidence: Iterable[Evidence]) -> Conventions:
    """The conventions that certain names show; their order does not matter."""
    forms: dict[str, Counter[str]] = {}
    orders: dict[str, Counter[Order]] = {}
    for one in evidence:
        counted, shown = forms.setdefault(one.domain, Counter()), orders.setdefault(one.domain, Counter())
        if one.form:
            counted[one.form] += 1
        if one.order:
            shown[one.order] += 1
    return Conventions(
        {domain: Convention(_by_count(forms[domain]), _by_count(orders[domain])) for domain in sorted(forms)}
    )


def _by_count(counted: Counter[T]) -> tuple[tuple[T, int], ...]:
    return tuple(sorted(counted.items(), key=lambda one: (-one[1], one[0])))


def usual(form: str) -> float:
    """How usual a form is where nothing is known of a company."""
    separator = next((mark for mark in "._-" if mark in form), "")
    return _USUAL[form.replace(separator, ".") if separator else form] * _SEPARATORS[separator]


_DOUBT: Final = 3.0
"""How many certain names weigh as much as what is usual elsewhere."""
_ORDERS: Final = {Order.FIRST_LAST: 0.95, Order.LAST_FIRST: 0.05}
_SEPARATORS: Final = {"": 1.0, ".": 1.0, "_": 0.3, "-": 0.2}
# last.first is rarer than a display name with the last name first, but not so rare that an address alone turns a name round.
_USUAL: Final = {
    "first.last": 0.40, "last.first": 0.075, "f.last": 0.06, "last.f": 0.015, "first.l": 0.02, "l.first": 0.002,
    "f.l": 0.001, "l.f": 0.0005, "firstlast": 0.08, "lastfirst": 0.014, "flast": 0.15, "lastf": 0.05, "firstl": 0.05,
    "lfirst": 0.002, "fl": 0.01, "lf": 0.002, "first": 0.08, "last": 0.03,
}  # fmt: skip
_EVERY_FORM: Final = tuple(_USUAL)
