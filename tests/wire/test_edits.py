import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coderai.wire.edits import EditedObject
from coderai.wire.members import UNREADABLE

ODD = (
    b' {\r\n "n" : 12345678901234567890 ,\t"f":1.0,"e":1E-7,"s":"\\u00e9\\/\xc3\xa9","a\\"b" : {"c":[1, 2]} ,"t":{ }}\n'
)


def test_without_an_edit_every_byte_stays():
    assert EditedObject(ODD).written() == ODD


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"{}", b'{"x":9}'),
        (b" { } ", b' { "x":9} '),
        (b'{"a":1}', b'{"a":1,"x":9}'),
        (b'{"x":1,"a":2}', b'{"x":9,"a":2}'),
        (b'{ "a" : 1 , "x" : [ 1 ] , "b":2 }', b'{ "a" : 1 , "x" : 9 , "b":2 }'),
        (b'{"\\u0078":1}', b'{"\\u0078":9}'),
        (b'{"x":1,"a":2,"x":3}', b'{"a":2,"x":9}'),
        (b'{"x":1,"x":1}', b'{"x":9}'),
        (b'{"a":NaN,"x":-Infinity}', b'{"a":NaN,"x":9}'),
        (b'{"a":"\\ud800","\\udc00":1}', b'{"a":"\\ud800","\\udc00":1,"x":9}'),
        ('{"é":"ü"}'.encode("utf-16"), '{"é":"ü","x":9}'.encode()),
        (b'\xef\xbb\xbf{"a":1}', b'{"a":1,"x":9}'),
    ],
)
def test_a_member_is_replaced_in_its_place_or_appended(text, expected):
    edited = EditedObject(text)
    edited.set("x", b"9")
    assert edited.written() == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b'{"x":1}', b"{}"),
        (b'{"x":1,"a":2}', b'{"a":2}'),
        (b'{ "x":1 , "a":2 }', b'{ "a":2 }'),
        (b'{ "a":2 ,\n "x":1 ,\n "b":3 }', b'{ "a":2 ,\n "b":3 }'),
        (b'{"a":2,"x":1}', b'{"a":2}'),
        (b'{"x":1,"a":2,"x":3}', b'{"a":2}'),
        (b'{"a":{"x":1}}', b'{"a":{"x":1}}'),
    ],
)
def test_a_member_is_removed_with_its_comma(text, expected):
    edited = EditedObject(text)
    edited.remove("x", "y")
    assert edited.written() == expected


def test_values_are_given_as_they_are_written():
    edited = EditedObject(ODD)
    assert bytes(edited.get("n")) == b"12345678901234567890"
    assert bytes(edited.get('a"b')) == b'{"c":[1, 2]}'
    assert bytes(edited.get("missing")) == b""


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"null",
        b'"x"',
        b'{"a":1',
        b'{"a":1,}',
        b'{,"a":1}',
        b'{"a":1}x',
        b'{"a"}',
        b'{"a":}',
        b"\xff",
        b'{"a":NaN',
    ],
)
def test_what_is_no_object_is_unreadable(text):
    with pytest.raises(UNREADABLE):
        EditedObject(text)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None, categories=None)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=4), VALUES, max_size=6), st.sampled_from([None, 1, "\t"]), st.booleans())
def test_any_object_is_taken_apart_and_put_together_again(document, indent, ascii_only):
    text = json.dumps(document, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    edited = EditedObject(text)
    assert edited.written() == text
    edited.set("one more", b"1")
    again = json.loads(edited.written().decode("utf-8", "surrogatepass"))
    assert json.dumps(again, sort_keys=True) == json.dumps(document | {"one more": 1}, sort_keys=True)
