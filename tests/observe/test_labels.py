"""However many names are made up, there is an end of labels."""

import pytest

from coderai.observe.labels import Names


def test_each_name_is_its_own_label_until_there_is_no_room():
    names = Names(2)
    assert [names.label(name) for name in ("a", "b", "c", "a")] == ["a", "b", "other", "a"]


def test_made_up_names_leave_room_for_those_that_exist():
    names = Names(3, unproven=1)
    assert [names.label(f"made-up-{number}") for number in range(3)] == ["made-up-0", "other", "other"]
    assert [names.label(name, proven=True) for name in ("real", "true", "more")] == ["real", "true", "other"]


def test_a_name_that_proves_itself_gives_its_place_to_the_next():
    names = Names(3, unproven=1)
    assert [names.label("a"), names.label("b"), names.label("a", proven=True), names.label("b")] == [
        *("a", "other", "a", "b")
    ]


@pytest.mark.parametrize("name", ["x" * 101, "line\nbreak", "nul\x00", "half \ud800"])
def test_what_is_no_name_has_no_label(name):
    names = Names(9)
    assert (names.label(name, proven=True), len(names)) == ("other", 0)


def test_no_name_and_a_name_that_is_only_looked_up():
    names = Names(9)
    assert (names.label(""), names.known("a"), len(names)) == ("unknown", "other", 0)
