"""What speaks for and against a reading of a name, each sign by its weight; tuned on the labelled lists."""

import math

import pytest

from intune_pipeline.domain.people import Convention
from intune_pipeline.domain.people.addresses import local_part
from intune_pipeline.domain.people.conventions import Order
from intune_pipeline.domain.people.readings import Reading, Word, is_initial, is_vietnamese, read, readings, word

FIRST, LAST = Order.FIRST_LAST, Order.LAST_FIRST


def words(text: str) -> tuple[Word, ...]:
    return tuple(map(word, text.split()))


def reading(
    given: str, family: str, order: Order, local: str = "e10482", convention: Convention | None = None
) -> Reading:
    count = len(f"{given} {family}".split())
    return read(words(given), words(family), order, local_part(f"{local}@x"), convention or Convention(), count)


def signs(given: str, family: str, order: Order) -> float:
    """What is said for a reading besides what lists of names say of its words; small words count where they are alone."""
    first, last = words(given), words(family)
    said = sum(one.given for one in first if not one.is_particle or len(first) == 1)
    said += sum(one.family for one in last if not one.is_particle or len(last) == 1)
    return round(reading(given, family, order).inner - said, 2)


@pytest.mark.parametrize(
    ("given", "family", "order", "weight"),
    [
        ("Zqa", "Zqb", FIRST, 0.0),
        ("Zqa Zqc", "Zqb", FIRST, -0.5),
        ("Zqa", "Zqb Zqc", FIRST, -2.3),
        ("Zqa", "García López", FIRST, -0.9),
        ("Zqa Zqc", "García López", FIRST, -0.8),
        ("Zqa Zqc Zqd", "Zqb", FIRST, -1.4),
        ("Zqa", "García López Ruiz", FIRST, -2.6),
        ("Zqa Zqc Zqd", "García López", FIRST, -1.9),
        ("Zqa Zqc", "García López Ruiz", FIRST, -3.0),
        ("Zqa Zqc Zqd Zqe", "Zqb", FIRST, -3.0),
        ("Zqa Zqc Zqd", "García López Ruiz", FIRST, -4.5),
        ("Zqa", "van Zqb", FIRST, 0.0),
        ("Zqa van", "Zqb", FIRST, -5.0),
        ("Zqa Van", "Zqb", FIRST, -5.0),
        ("Zqa Ben", "Zqb", FIRST, -3.0),
        ("Zqa ben", "Zqb", FIRST, -5.0),
        ("Zqa y", "Zqb", FIRST, -9.0),
        ("Zqa Abdul", "Zqb", FIRST, -4.5),
        ("Abdul Zqa", "Zqb", FIRST, -0.5),
        ("van Zqa", "Zqb", FIRST, -5.0),
        ("Van Zqa", "Zqb", FIRST, -1.5),
        ("Ben Zqa", "Zqb", FIRST, -1.5),
        ("Van", "Zqb", FIRST, -4.5),
        ("Ben", "Zqb", FIRST, -2.2),
        ("Zqa del Carmen", "Zqb", FIRST, 0.5),
        ("Zqa del Zqc", "Zqb", FIRST, -3.0),
        ("Zqa Del Zqc", "Zqb", FIRST, -1.3),
        ("Zqa de la Zqc", "Zqb", FIRST, -3.0),
        ("Zqa Zqc Zqd del Carmen", "Zqb", FIRST, -2.0),
        ("Zqa Zqe del Zqc", "Zqb", FIRST, -3.9),
        ("Zqa", "van", FIRST, -4.0),
        ("Zqa", "ben", FIRST, -1.0),
        ("Zqa", "Do", FIRST, 0.0),
        ("Zqa", "Zqb van", FIRST, -6.0),
        ("Zqa", "Zqb Van", FIRST, -6.0),
        ("Zqa", "Zqb Ben", FIRST, -3.0),
        ("Zqa", "Zqb ben", FIRST, -6.0),
        ("Zqa", "y Zqb", FIRST, -4.0),
        ("Zqa", "Zqb y Zqc", FIRST, -2.3),
        ("Zqa", "J. K.", FIRST, -9.3),
        ("Zqa", "J.", FIRST, -3.0),
        ("J.", "Zqb", FIRST, -1.5),
        ("Zqa J.", "Zqb", FIRST, 0.0),
        ("J. K.", "Zqb", FIRST, -1.5),
        ("Zqa", "de la Zqb", FIRST, 0.0),
        ("Ivan Petrovich", "Zqb", FIRST, 1.5),
        ("Zqa", "Ivan Petrovich", FIRST, -4.3),
        ("Petrovich", "Zqb", FIRST, 0.0),
        ("Zqa", "Zqb", LAST, 0.0),
        ("Văn Đức", "Trần", LAST, 6.5),
        ("Văn", "Đức Trần", LAST, -6.8),
        ("Minjun", "Kim", LAST, 2.8),
        ("Min-jun", "Kim", LAST, 2.8),
        ("Min Jun", "Kim", LAST, 2.3),
        ("Min Jun Ho", "Kim", LAST, -1.4),
        ("Minzq", "Kim", LAST, 0.0),
        ("Zqjun", "Kim", LAST, 0.0),
        ("Min-zq", "Kim", LAST, 0.0),
        ("A-jun", "Kim", LAST, 2.8),
        ("Ajun", "Kim", LAST, 2.8),
        ("Min-jun", "Kim Park", LAST, -2.3),
        ("Min-jun", "Doe", LAST, 0.0),
        ("Thomas", "Kim", LAST, 0.0),
        ("Minjun", "Kim", FIRST, 1.0),
        ("Min-jun", "Kim", FIRST, 1.0),
        ("Min-jun", "Kim Park", FIRST, -2.3),
        ("Thomas", "Kim", FIRST, 0.0),
        ("Min-jun", "Doe", FIRST, 0.0),
        ("Trần", "Văn Đức", FIRST, 0.0),
        ("Trần Văn", "Đức", FIRST, -5.0),
    ],
)
def test_a_reading_has_its_weight(given: str, family: str, order: Order, weight: float) -> None:
    assert signs(given, family, order) == weight


def test_an_initial_is_rarely_a_last_name() -> None:
    initial = word("J.")
    assert (round(math.exp(initial.given), 2), round(math.exp(initial.family), 2)) == (0.7, 0.06)
    assert [is_initial(text) for text in ("J", "J.", "J.R.", "JR", "y", "山", "Jo")] == [
        True, True, True, False, False, False, False,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("shown", "is_so"),
    [
        ("Trần Văn Đức", True),
        ("Nguyen Thi Mai", True),
        ("Nguyen Van Tran", True),
        ("Nguyen Minh Mai", False),
        ("Nguyen Van", False),
        ("Doe Van Duc", False),
        ("Nguyen Doe Duc", False),
        ("Nguyen Thi Alexand", False),
        ("Nguyen Thi Alexan", True),
    ],
)
def test_a_vietnamese_name_has_a_last_name_and_a_middle_name_of_the_list(shown: str, is_so: bool) -> None:
    assert is_vietnamese(words(shown)) is is_so


def test_every_cut_in_every_order_is_read_the_best_first() -> None:
    found = readings(words("Ana Zqb Zqc"), local_part("e10482@x"), Convention())
    assert {(" ".join(w.text for w in one.given), one.order) for one in found} == {
        ("Ana", FIRST), ("Ana Zqb", FIRST), ("Zqb Zqc", LAST), ("Zqc", LAST),
    }  # fmt: skip
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)


def test_the_address_and_the_order_shown_weigh_as_is_usual_elsewhere() -> None:
    unknown = Convention()
    fits, turned = (reading("Zqa", "Zqbb", order, "zqa.zqbb") for order in Order)
    assert round(fits.score - fits.inner - unknown.log_order(FIRST) - unknown.log_form("first.last"), 6) == 0
    assert round(turned.score - turned.inner - unknown.log_order(LAST) - unknown.log_form("first.last"), 6) == 0


@pytest.mark.parametrize(("known", "weight"), [((), 0.9), (((LAST, 1),), 0.6), (((LAST, 9),), 0.0)])
def test_who_shows_the_last_name_first_writes_it_first_in_addresses(
    known: tuple[tuple[Order, int], ...], weight: float
) -> None:
    convention = Convention(orders=known)
    found = reading("Zqa", "Zqbb", LAST, "zqbb.zqa", convention)
    said = found.score - found.inner - convention.log_order(LAST) - convention.log_form("last.first")
    assert round(said, 6) == weight


@pytest.mark.parametrize(("known", "weight"), [((), -1.3), (((LAST, 1),), -0.866667), (((LAST, 9),), 0.0)])
def test_a_reading_against_the_order_shown_needs_the_address(
    known: tuple[tuple[Order, int], ...], weight: float
) -> None:
    convention = Convention(orders=known)
    found, shown = (reading("Zqa", "Zqbb", order, "e10482", convention) for order in (LAST, FIRST))
    orders = convention.log_order(LAST) - convention.log_order(FIRST)
    assert round(found.score - found.inner - shown.score + shown.inner - orders, 6) == weight


@pytest.mark.parametrize(
    ("given", "family", "weight"),
    [("Mei-ling", "Li", 1.6), ("Wei", "Wang", 1.6), ("Wei Mei Ling", "Wang", 0.0), ("Thomas", "Wang", 0.0),
     ("Wei", "Wang Li", 0.0), ("Shuang", "Wang", 1.6), ("Zhuang", "Wang", 1.6), ("Wei", "Doe", 0.0)],
)  # fmt: skip
def test_a_chinese_last_name_is_shown_first_where_the_address_fits(given: str, family: str, weight: float) -> None:
    local = f"{given}.{family}".replace(" ", "").replace("-", "").lower()
    found = reading(given, family, LAST, local)
    match = found.match
    assert match
    said = found.score - found.inner - Convention().log_order(LAST) - Convention().log_form(match.form) + match.doubt
    assert round(said, 6) == weight


@pytest.mark.parametrize(
    ("given", "family", "local", "weight"),
    [("Yu Han", "Zhang", "zhang.yuhan", 5.5), ("Yu Han", "Zhang", "zhang.yu.han", 2.5), ("Yu Han", "Zhang", "zyuhan", 1.6),
     ("Yuhan", "Zhang", "zhang.yuhan", 4.0), ("Wei", "Zhang", "zhang.wei", 2.5), ("Yu Han", "Doe", "doe.yuhan", 0.9),
     ("Seo Yeon", "Lee", "lee.seoyeon", 3.9), ("Yu Han", "Zhang Li", "zhangli.yuhan", 0.9), ("Phuc Lan", "Ngo", "ngo.phuclan", 3.9),
     ("Zqa Lan", "Ngo", "ngo.zqalan", 0.9), ("De Man", "Lin", "lin.deman", 2.5), ("Lima Cano", "Jin", "jin.limacano", 2.5)],
)  # fmt: skip
def test_a_last_name_of_east_asia_shown_first_gains_by_an_address_with_two_sides(
    given: str, family: str, local: str, weight: float
) -> None:
    found = reading(given, family, LAST, local)
    match = found.match
    assert match
    said = found.score - found.inner - Convention().log_order(LAST) - Convention().log_form(match.form) + match.doubt
    assert round(said, 6) == weight


def test_a_known_order_is_not_turned_round_by_last_names_of_east_asia() -> None:
    known = Convention(orders=((FIRST, 9),))
    shown = reading("Zhang", "Yu Han", FIRST, "zhang.yuhan", known)
    turned = reading("Yu Han", "Zhang", LAST, "zhang.yuhan", known)
    assert shown.score > turned.score
