"""The files of dumps: what they look like, and that neither memory nor the disk nor anybody's file pays for them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coderai.gateway.dump_files import MOST_WAITING, DumpFiles, DumpWriter
from coderai.gateway.dump_form import Masks, Request, answer_head, folder, secrets_of

KEY = "sk-ant-0123456789abcdefghij"
ODD = 'odd"key/with+signs&more'
NOTHING = Masks(())


@contextmanager
def writing(directory: Path, **bounds: int) -> Iterator[DumpWriter]:
    """A writer; everything is on disk when the context is left."""
    writer = DumpWriter(directory, **bounds)
    writer.start()
    yield writer
    writer.stop(30)


def request(body: bytes = b"{}", *headers: tuple[bytes, bytes], url: str = "http://h:1/v1/messages") -> Request:
    return Request("POST", url, list(headers), body)


def dump(writer: DumpWriter, stem: str, *pieces: bytes, body: bytes = b"{}") -> None:
    files = DumpFiles(writer, ("anthropic", "claude"), stem, ())
    files.request(request(body))
    files.answer(200, [])
    for piece in pieces:
        files.piece(piece)
    files.close()


def names(directory: Path) -> Sequence[str]:
    return sorted(path.name for path in directory.rglob("*.txt"))


def test_a_request_reads_like_one() -> None:
    headers = [(b"x-b", b"2"), (b"Authorization", b"Bearer sk-secret-key-12345"), (b"X-A", b"1")]
    body = b'{"b":1.0,"a":12345678901234567890,"b":"\\u00e9","c":[]}'
    asked = request(body, *headers, url="https://u:p@api.example.com:8443/v1/messages?beta=true")
    assert asked.text(NOTHING).decode() == (
        "POST /v1/messages?beta=true HTTP/1.1\r\n"
        "Authorization: Bear...2345\r\n"
        "Content-Length: 71\r\n"
        "Host: api.example.com:8443\r\n"
        "X-A: 1\r\n"
        "x-b: 2\r\n"
        "\r\n"
        '{\n  "b": 1.0,\n  "a": 12345678901234567890,\n  "b": "\\u00e9",\n  "c": []\n}\n'
    )


@pytest.mark.parametrize(
    "body",
    [b"", b"plain", b"{", b'{"a":NaN', b"\xff\xfe\x00", b"[" * 100_000, b'"text"', b"{" + b" " * (1 << 20) + b"}"],
    ids=["empty", "plain", "half", "nan", "binary", "deep", "text", "long"],
)
def test_a_body_that_cannot_be_laid_out_stays_as_it_is(body: bytes) -> None:
    assert request(body).text(NOTHING).endswith(b"\r\n\r\n" + body + b"\n")


@pytest.mark.parametrize("encoding", [b"zstd", b"gzip", b"br", b"nonsense", b"gzip, " * 50])
def test_a_body_that_cannot_be_decoded_says_so(encoding: bytes) -> None:
    text = request(b"\x00\x01\x02", (b"Content-Encoding", encoding)).text(NOTHING)
    assert text.endswith(b"\r\n\r\n[3 bytes in an encoding that cannot be read]\n")


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        (b"Authorization", b"Bearer sk-secret-key-12345", b"Bear...2345"),
        (b"X-API-KEY", KEY.encode(), b"sk-a...ghij"),
        (b"api-key", b"short", b"s...t"),
        (b"x-goog-api-key", b"abcd", b"..."),
        (b"X-Auth-Token", b"0123456789", b"01...89"),
        (b"Cookie", b"", b""),
        (b"X-Amz-Security-Token", b"x" * 5000, b"xxxx...xxxx"),
        (b"X-Coder-Workspace-Id", b"0123456789", b"01...89"),
        (b"Coder-Session-Token", b"0123456789", b"01...89"),
        (b"Set-Cookie", b"0123456789", b"01...89"),
        (b"WWW-Authenticate", b"0123456789", b"01...89"),
        (b"Proxy-Authenticate", b"0123456789", b"01...89"),
        (b"x-request-id", b"0123456789", b"0123456789"),
        (b"X-Bytes", b"\xff\xfe", b"\xff\xfe"),
        (b"X-Injected", b"a\r\nAuthorization: b", b"a\\r\\nAuthorization: b"),
        (b"X-Key-Elsewhere", b"k=" + KEY.encode(), b"k=sk-a...ghij"),
    ],
)
def test_values_of_headers(name: bytes, value: bytes, shown: bytes) -> None:
    assert answer_head(200, [(name, value)], Masks([KEY])).split(b"\r\n")[1] == name + b": " + shown


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("key=0123456789", "key=..."),
        ("a=1&api_key=0123456789&b=2", "a=1&api_key=...&b=2"),
        ("API-Key=x", "API-Key=..."),
        ("X-Amz-Signature=f00&X-Amz-Date=1", "X-Amz-Signature=...&X-Amz-Date=1"),
        ("monkey=1&keys=2", "monkey=1&keys=2"),
        (f"q={KEY}", "q=sk-a...ghij"),
    ],
)
def test_secrets_in_the_address(query: str, shown: str) -> None:
    text = request(url=f"http://h/v1?{query}").text(Masks([KEY]))
    assert text.split(b"\r\n")[0] == f"POST /v1?{shown} HTTP/1.1".encode()


@pytest.mark.parametrize(
    "written", [KEY, ODD, "odd%22key%2Fwith%2Bsigns%26more", 'odd\\"key/with+signs&more'], ids=range(4)
)
def test_a_secret_is_found_however_it_is_written(written: str) -> None:
    masked = Masks([KEY, ODD]).whole(f"<{written}>".encode())
    assert written.encode() not in masked
    assert b"..." in masked


def test_short_words_are_no_secrets() -> None:
    assert Masks(["Bearer", "a", ""]).whole(b"Bearer a") == b"Bearer a"


def test_the_secrets_of_a_call_are_those_in_its_headers() -> None:
    headers = [(b"authorization", b"Bearer abc"), (b"X-Api-Key", b"def"), (b"User-Agent", b"claude")]
    assert set(secrets_of(headers)) == {"Bearer abc", "abc", "def"}


@settings(max_examples=200, deadline=None)
@given(
    text=st.lists(st.sampled_from([KEY, KEY[:-1], KEY[1:], ODD, "sk-", "x", "\n", KEY + KEY, "é"]), max_size=12),
    size=st.integers(1, 40),
)
def test_the_borders_of_chunks_do_not_matter(text: list[str], size: int) -> None:
    data = "".join(text).encode()
    masks = Masks([KEY, ODD])
    stream = masks.stream()
    chunks = [data[at : at + size] for at in range(0, len(data), size)]
    assert b"".join([*map(stream.feed, chunks), stream.close()]) == masks.whole(data)


@settings(max_examples=300, deadline=None)
@given(st.text())
def test_any_name_is_one_harmless_folder(name: str) -> None:
    made = folder(name)
    assert 0 < len(made) <= 120
    assert made.isprintable()
    assert made.isascii()
    assert "/" not in made
    assert not made.startswith((".", "-"))


def test_nothing_is_ever_overwritten(tmp_path: Path) -> None:
    with writing(tmp_path) as writer:
        for number in range(3):
            dump(writer, "1700000000000-a", b"%d" % number)
    stems = ("1700000000000-a", "1700000000000-a-2", "1700000000000-a-3")
    assert names(tmp_path) == sorted(f"{stem}.{kind}.txt" for stem in stems for kind in ("req", "resp"))
    answers = [(tmp_path / "anthropic" / "claude" / f"{stem}.resp.txt").read_bytes() for stem in stems]
    assert [text[-1:] for text in answers] == [b"0", b"1", b"2"]


def test_two_writers_share_a_directory(tmp_path: Path) -> None:
    with writing(tmp_path) as one, writing(tmp_path) as two:
        for number in range(50):
            dump((one, two)[number % 2], "1700000000000-a", b"x")
    assert len(names(tmp_path)) == 100


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    inside = tmp_path / "dumps" / "anthropic" / "claude"
    inside.mkdir(parents=True)
    (inside / "1700000000000-a.req.txt").symlink_to(victim)
    (inside / "1700000000000-a-2.resp.txt").symlink_to(victim)
    with writing(tmp_path / "dumps") as writer:
        dump(writer, "1700000000000-a", b"x")
    assert victim.read_text() == "untouched"


def test_what_waits_is_bounded_and_what_is_left_out_is_marked(tmp_path: Path) -> None:
    writer = DumpWriter(tmp_path, most_waiting=10)
    files = DumpFiles(writer, ("anthropic", "claude"), "1700000000000-a", ())
    files.request(request(b"{}"))
    files.answer(200, [])
    for piece in (b"1234", b"too much", b"much too much", b"5678"):
        files.piece(piece)
    files.close()
    writer.start()
    writer.stop(30)
    text = (tmp_path / "anthropic" / "claude" / "1700000000000-a.resp.txt").read_bytes()
    assert text.endswith(b"\r\n\r\n1234\n[21 bytes left out: the disk was too slow]\n5678")


def test_a_loss_at_the_end_is_marked(tmp_path: Path) -> None:
    writer = DumpWriter(tmp_path, most_waiting=5)
    dump(writer, "1700000000000-a", b"123", b"too much", body=b"{}")
    writer.start()
    writer.stop(30)
    text = (tmp_path / "anthropic" / "claude" / "1700000000000-a.resp.txt").read_bytes()
    assert text.endswith(b"123\n[8 bytes left out: the disk was too slow]\n")


def test_a_request_that_does_not_fit_is_left_out_with_its_answer(tmp_path: Path, caplog) -> None:
    writer = DumpWriter(tmp_path, most_waiting=10)
    for stem in ("1-a", "1-b", "1-c"):
        dump(writer, stem, b"x", body=b"{1234567}")
    writer.start()
    writer.stop(30)
    assert names(tmp_path) == ["1-a.req.txt", "1-a.resp.txt"]
    assert [record.getMessage() for record in caplog.records] == ["API dump left out: the disk is too slow"]


def test_what_was_written_makes_room_for_more(tmp_path: Path) -> None:
    writer = DumpWriter(tmp_path, most_waiting=10)
    dump(writer, "1-a", body=b"{1234567}")
    writer.start()
    writer.stop(30)
    assert writer.put(lambda: None, 10)


def test_the_oldest_dumps_go_and_nothing_else(tmp_path: Path) -> None:
    old = tmp_path / "openai" / "gpt"
    old.mkdir(parents=True)
    for number in range(5):
        (old / f"170000000000{number}-x.resp.txt").write_bytes(b"x" * 1000)
    others = [old / "1600000000000-notes.md", old / "notes.resp.txt", tmp_path / "1600000000000-x.resp.txt"]
    for other in others:
        other.write_bytes(b"x" * 1000)
    (old / "1600000000000-link.resp.txt").symlink_to(others[0])
    with writing(tmp_path, most_on_disk=4000) as writer:
        dump(writer, "1800000000000-a", b"x" * 1000)
    left = {path.name for path in old.iterdir()}
    assert "1700000000000-x.resp.txt" not in left
    assert "1700000000004-x.resp.txt" in left
    assert all(other.exists() for other in others)
    assert (tmp_path / "anthropic" / "claude" / "1800000000000-a.resp.txt").stat().st_size > 1000
    total = sum(path.stat().st_size for path in tmp_path.rglob("1[78]*.txt"))
    assert total <= 4000


def test_a_fault_of_ours_in_one_dump_does_not_end_the_others(tmp_path: Path, caplog) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    with writing(tmp_path) as writer:
        writer.put(fail, 5)
        dump(writer, "1-a")
    assert names(tmp_path) == ["1-a.req.txt", "1-a.resp.txt"]
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert writer.put(fail, MOST_WAITING)


def test_trouble_with_every_chunk_is_one_warning(tmp_path: Path, caplog) -> None:
    (tmp_path / "anthropic").mkdir()
    (tmp_path / "anthropic" / "claude").write_text("in the way")
    with writing(tmp_path) as writer:
        for number in range(5):
            dump(writer, f"1-{number}", b"x", b"y")
    (record,) = caplog.records
    assert record.getMessage() == "API dump failed"
    assert record.fields == {"directory": tmp_path, "name": "1-0", "reason": "Not a directory"}
