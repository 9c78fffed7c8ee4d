"""What is known of single words: how names use them, what rooms and functions are called, and how they are written."""

import math

import pytest

from intune_pipeline.domain.people import Convention, lexicon, nicknames, words
from intune_pipeline.domain.people.capitals import is_in_one_case, proper
from intune_pipeline.domain.people.conventions import (
    Conventions,
    Evidence,
    Order,
    conventions_of,
    domain_of,
    usual,
)
from intune_pipeline.domain.people.learning import ENOUGH, learn
from intune_pipeline.domain.people.spelling import email_key
from intune_pipeline.domain.people.words import Meaning


@pytest.mark.parametrize(
    ("given", "family", "both", "written"),
    [
        ("JANE", "DOE", True, ("Jane", "Doe")),
        ("jane", "doe", True, ("Jane", "Doe")),
        ("ED", "MA", True, ("Ed", "Ma")),
        ("ED", "MA", False, ("ED", "Ma")),
        ("JP", "SMITH", False, ("JP", "Smith")),
        ("JANE", "Doe", False, ("Jane", "Doe")),
        ("ANNA MARIA", "Doe", False, ("Anna Maria", "Doe")),
        ("jane", "Doe", False, ("Jane", "Doe")),
        ("jane m", "Doe", False, ("jane m", "Doe")),
        ("Jane", "doe", False, ("Jane", "Doe")),
        ("Jane", "de la cruz", False, ("Jane", "de la cruz")),
        ("Jane", "DE LA CRUZ", False, ("Jane", "de la Cruz")),
        ("Jan", "van den BERG", False, ("Jan", "van den Berg")),
        ("Jan", "Van den BERG", False, ("Jan", "Van den BERG")),
        ("Jan", "BERG van den", False, ("Jan", "BERG van den")),
        ("Jane", "McDONALD", False, ("Jane", "McDONALD")),
        # "De" and its like are written with a capital before an Italian last name, and there only at the beginning.
        ("MARIO", "DE LUCA", True, ("Mario", "De Luca")),
        ("PIETER", "DEL PIERO", True, ("Pieter", "Del Piero")),
        ("MARIA", "DA SILVA", True, ("Maria", "da Silva")),
        ("MARIA", "LOPEZ DE LUCA", True, ("Maria", "Lopez de Luca")),
        ("anna", "de la", True, ("Anna", "de La")),
        ("JAN", "VAN LUCA", True, ("Jan", "van Luca")),
        ("SEAN", "O'BRIEN", True, ("Sean", "O'Brien")),
        ("JEAN-LUC", "D'ARTAGNAN", True, ("Jean-Luc", "D'Artagnan")),
        ("X", "'T HOOFT", True, ("X", "'t Hooft")),
        ("C'HEN", "K'ABC", True, ("c'Hen", "k'Abc")),
        ("ANNA MARIA", "MCDONALD-SMITH", True, ("Anna Maria", "McDonald-Smith")),
        # A first name is never a last name with inner capitals.
        ("MCDONALD", "MACHADO", True, ("Mcdonald", "Machado")),
        ("ИВАН", "ПЕТРОВ", False, ("Иван", "Петров")),
        ("太郎", "山田", False, ("太郎", "山田")),
    ],
)
def test_capitals_are_those_of_the_owner(given: str, family: str, both: bool, written: tuple[str, str]) -> None:
    assert proper(given, family, both=both) == written


def test_a_script_without_case_is_in_no_case() -> None:
    assert [is_in_one_case(part) for part in ("JANE", "jane", "Jane", "山田")] == [True, True, False, False]


@pytest.mark.parametrize(
    ("word", "given", "family", "is_given"),
    [
        ("jane", 9, 0, True),
        ("MÜLLER", 0, 6, False),
        ("Martin", 9, 7, True),
        ("antal", 2, 2, True),
        ("baran", 2, 3, False),
        ("aabid", 1, 1, False),
        ("Anna-Lena", 3, 0, True),
        ("O'Zqrien", 0, 5, False),
        ("Zqxowski", 0, 2, False),
        ("zqx", 0, 0, False),
    ],
)
def test_a_word_is_used_as_the_lists_of_countries_say(word: str, given: int, family: int, is_given: bool) -> None:
    assert lexicon.use(word) == (given, family)
    assert lexicon.is_given(word) is is_given
    assert lexicon.is_known(word) is (given + family > 0)
    assert math.exp(lexicon.log_given(word)) + math.exp(lexicon.log_family(word)) == pytest.approx(1)
    assert (lexicon.log_given(word) > lexicon.log_family(word)) is (given > family)


def test_a_word_is_listed_in_as_many_countries_as_are_asked_for() -> None:
    assert [lexicon.is_listed("aabid", countries) for countries in (1, 2, 3)] == [True, True, False]
    assert lexicon.is_listed("aabid")
    assert not lexicon.is_listed("aaen")
    assert not lexicon.is_listed("zqx", 1)


def test_a_first_name_is_usual_however_usual_it_is_as_a_last_name() -> None:
    words = ["Simon", "Jane", "Aabid", "Müller"]
    assert [lexicon.is_used_as_given(word) for word in words] == [True, True, False, False]
    assert not lexicon.is_given("Simon")


def test_last_names_that_are_shown_first_are_known() -> None:
    assert [lexicon.is_east_asian(word) for word in ("kim", "nguyen", "wang", "doe")] == [True, True, True, False]
    assert lexicon.is_chinese("Wáng")
    assert not lexicon.is_chinese("Kimmel")


ROOM, DESK, FUNCTION = Meaning("room", "English"), Meaning("desk", "English"), Meaning("function", "English")


@pytest.mark.parametrize(
    ("word", "meaning"),
    [
        ("Reception", DESK),
        ("RECEPCIÓN", Meaning("desk", "Spanish")),
        ("Besprechungsraum", Meaning("room", "German")),
        # A word that only begins so counts, but for one that is a name.
        ("Besprechungszimmer", Meaning("room", "German")),
        ("Giselle", None),
        ("Jane", None),
    ],
)
def test_a_word_of_rooms_and_desks_is_recognised_in_its_language(word: str, meaning: Meaning | None) -> None:
    assert words.meaning(word) == meaning


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("Power  Automate", ("Power Automate", Meaning("product", "Microsoft"))),
        ("Flow by Power Automate 2", ("power automate", Meaning("product", "Microsoft"))),
        ("IT support", ("IT support", FUNCTION)),
        ("Power Jane", None),
        ("Automate Power", None),
        ("会議室 A", ("会議室", Meaning("room", "Japanese"))),
        ("山田 太郎", None),
    ],
)
def test_a_phrase_is_recognised_wherever_it_stands(text: str, phrase: tuple[str, Meaning] | None) -> None:
    assert words.phrase(text) == phrase


@pytest.mark.parametrize(
    ("text", "only_annotates"),
    [
        ("Sales", True),
        ("Sales & Marketing", True),
        ("Head of Sales", True),
        ("Sales Berlin", True),
        ("Sales 2 B", True),
        ("Jane", False),
        ("Sales Jane", False),
        ("42", False),
        ("", False),
    ],
)
def test_departments_and_places_only_annotate_a_name(text: str, only_annotates: bool) -> None:
    assert words.are_all_notes(text) is only_annotates


def test_what_a_first_name_is_short_for() -> None:
    assert nicknames.roots("bill") & nicknames.roots("will") == {"william"}
    assert "jose" in nicknames.others("pepe")
    assert "pepe" in nicknames.others("jose")
    assert "pepe" not in nicknames.others("pepe")


def test_names_of_men_and_of_women_are_not_one() -> None:
    assert "louise" not in nicknames.others("louis") | nicknames.roots("louis")
    assert "louis" not in nicknames.others("louise") | nicknames.roots("louise")
    assert "lou" in nicknames.others("louise")


def test_only_spaces_around_an_address_are_taken_away_as_in_the_database() -> None:
    assert email_key("  a@x.io ") == "a@x.io"
    assert email_key(" XA@IO.X ") == "xa@io.x"
    assert email_key("\ta@x.io\n") == "\ta@x.io\n"


def test_a_convention_counts_and_says_what_is_certain() -> None:
    known = Convention((("first.last", 3), ("flast", 1)), ((Order.FIRST_LAST, 2), (Order.LAST_FIRST, 1)))
    assert (known.share("first.last"), known.share("flast"), known.share("last")) == ((3, 4), (1, 4), (0, 4))
    assert str(known) == "first.last (3 of 4 certain names)"
    assert str(Convention((("flast", 1),))) == "flast (1 of 1 certain name)"
    assert known.knows_orders == 1
    assert Convention(orders=((Order.LAST_FIRST, 1), (Order.FIRST_LAST, 1))).knows_orders == pytest.approx(2 / 3)
    assert Convention().knows_orders == 0
    assert known.shows_first_name_first
    assert not Convention(orders=((Order.LAST_FIRST, 9),)).shows_first_name_first


def test_three_certain_names_weigh_as_much_as_what_is_usual_elsewhere() -> None:
    nothing, three = Convention(), Convention((("last.first", 3),), ((Order.LAST_FIRST, 3),))
    assert math.exp(nothing.log_form("first.last")) == pytest.approx(0.4)
    assert math.exp(three.log_form("first.last")) == pytest.approx(0.2)
    assert math.exp(three.log_form("last.first")) == pytest.approx((1 + 0.075) / 2)
    assert math.exp(nothing.log_order(Order.LAST_FIRST)) == pytest.approx(0.05)
    assert math.exp(three.log_order(Order.LAST_FIRST)) == pytest.approx((1 + 0.05) / 2)


def test_a_form_with_another_separator_is_as_usual_as_the_separator() -> None:
    assert usual("first_last") == pytest.approx(0.3 * usual("first.last"))
    assert usual("first-last") == pytest.approx(0.2 * usual("first.last"))
    # Of a form that no list names less is known than of those that are counted.
    assert math.exp(Convention().log_form("first_last")) == pytest.approx(3 * 0.12 / 4)


def test_conventions_belong_to_a_domain_and_are_learned_when_first_asked_for() -> None:
    acme, asked = Convention((("flast", 1),)), []

    def learned() -> Conventions:
        asked.append(1)
        return Conventions({"acme.example": acme})

    lazy = Conventions(learned)
    assert asked == []
    assert lazy.of("X@ACME.example") is acme
    assert lazy.of("x@other.example") == Convention()
    assert asked == [1]
    assert Conventions().of("x@acme.example") == Convention()
    assert domain_of('"a@b"@ACME.example') == "acme.example"


def test_the_most_frequent_form_comes_first_and_equals_by_name() -> None:
    evidence = [
        *[Evidence("acme.example", "flast", Order.FIRST_LAST)] * 2,
        Evidence("acme.example", "last", Order.LAST_FIRST),
        Evidence("acme.example", "first", None),
        Evidence("acme.example", None, Order.FIRST_LAST),
        Evidence("other.example", "last", None),
    ]
    known = conventions_of(evidence).by_domain
    assert known == {
        "acme.example": Convention(
            (("flast", 2), ("first", 1), ("last", 1)), ((Order.FIRST_LAST, 3), (Order.LAST_FIRST, 1))
        ),
        "other.example": Convention((("last", 1),)),
    }


def test_a_hundred_names_of_a_domain_are_enough() -> None:
    shown = [
        (f"Doe, {name}", f"{name.lower()}.doe@acme.example")
        for name in (f"Jane{chr(97 + i // 26)}{chr(97 + i % 26)}" for i in range(ENOUGH + 20))
    ]
    employees = [("Jane", "Doe", f"jane.doe{number}@acme.example") for number in range(ENOUGH + 20)]
    assert learn(shown).of("x@acme.example").forms == (("first.last", ENOUGH),)
    assert learn([], employees).of("x@acme.example").forms == (("first.last", ENOUGH),)
    assert learn(shown, employees).of("x@acme.example").forms == (("first.last", 2 * ENOUGH),)
    assert learn([(None, "jane.doe@acme.example"), ("", "j@acme.example")]).by_domain == {}
    elsewhere = [(first, last, email.replace("acme", "other")) for first, last, email in employees]
    counted = learn([], [*employees, *elsewhere]).by_domain
    assert {one.forms for one in counted.values()} == {(("first.last", ENOUGH),)}


def test_a_hundred_of_more_names_are_drawn_from_all_of_them() -> None:
    def people(letter: str, form: str) -> list[tuple[str, str, str]]:
        names = [f"{letter}{chr(97 + number // 26)}{chr(97 + number % 26)}an" for number in range(ENOUGH)]
        return [(name, "Doe", form.format(name.lower()) + "@acme.example") for name in names]

    employees = [*people("A", "{0}.doe"), *people("Z", "doe.{0}")]
    shown = [(f"{last}, {first}", email) for first, last, email in employees]
    for known in (learn([], employees), learn(shown)):
        counted = dict(known.of("x@acme.example").forms)
        assert sum(counted.values()) == ENOUGH
        assert min(counted["first.last"], counted["last.first"]) > ENOUGH // 4
    elsewhere = [(name, email.replace("acme", "other")) for name, email in shown]
    assert [sum(dict(one.forms).values()) for one in learn([*shown, *elsewhere]).by_domain.values()] == [ENOUGH, ENOUGH]


def test_of_several_forms_the_most_usual_counts() -> None:
    assert learn([], [("Anna-Lena", "Ek", "anna-lena@acme.example")]).of("x@acme.example").forms == (("first", 1),)


def test_a_nickname_and_an_initial_together_show_nothing_certain() -> None:
    assert learn([], [("Robert", "Doe", "bob.doe@acme.example")]).of("x@acme.example").forms == (("first.last", 1),)
    assert learn([], [("Robert", "Doe", "bob.d@acme.example")]).of("x@acme.example").forms == ()


@pytest.mark.parametrize(
    ("email", "form"),
    [
        ("jane.doe@acme.example", "first.last"),
        ("jdoe@acme.example", "flast"),
        ("jane-doe@acme.example", "first-last"),
        ("jones@acme.example", None),
        # Spelled another way it shows nothing certain.
        ("jane.smith@acme.example", None),
        ("e10482@acme.example", None),
    ],
)
def test_an_employees_address_shows_a_form_where_it_is_made_of_their_name(email: str, form: str | None) -> None:
    forms = learn([], [("Jane", "Doe", email)]).of(email).forms
    assert forms == (((form, 1),) if form else ())
