import json
import logging
import os
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from coderai.errors import BadSettings
from coderai.observe import logs
from coderai.observe.sinks import LineHandler


@dataclass(frozen=True)
class To:
    log_human: str = ""
    log_json: str = ""
    log_filter: tuple[str, ...] = ()


@pytest.fixture
def human(tmp_path: Path) -> Path:
    return tmp_path / "human.log"


@pytest.fixture
def as_json(tmp_path: Path) -> Path:
    return tmp_path / "json.log"


log = logs.get("gateway")


def lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def objects(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_bytes().split(b"\n") if line]


def test_a_human_line_is_time_level_logger_event_and_fields(human):
    with logs.configured(To(log_human=str(human))):
        log.info("provider reloaded", provider="corp", keys=2, reason="two words", empty="", on=True, none=None)
    (line,) = lines(human)
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} \[info\]  coderai\.gateway: provider reloaded  "
        r'provider=corp keys=2 reason="two words" empty="" on=true none=null',
        line,
    )


@pytest.mark.parametrize(
    ("level", "short"), [("debug", "debu"), ("info", "info"), ("warning", "warn"), ("error", "erro")]
)
def test_levels_are_four_letters_in_human_lines(human, level, short):
    with logs.configured(To(log_human=str(human), log_filter=(".*",))):
        getattr(log, level)("event")
    assert lines(human)[0].endswith(f"[{short}]  coderai.gateway: event")


def test_a_json_line_has_the_fields_of_the_event_inside_fields(as_json):
    with logs.configured(To(log_json=str(as_json))):
        log.info("provider reloaded", provider="corp", keys=2, more={"a": [1]}, at=datetime(2026, 3, 1, tzinfo=UTC))
    (line,) = objects(as_json)
    assert list(line) == ["ts", "level", "msg", "caller", "func", "logger_names", "fields"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", line["ts"])
    assert (line["level"], line["msg"], line["logger_names"]) == ("INFO", "provider reloaded", ["coderai", "gateway"])
    assert re.fullmatch(r"test_logs\.py:\d+", line["caller"])
    assert line["func"] == "test_a_json_line_has_the_fields_of_the_event_inside_fields"
    assert line["fields"] == {"provider": "corp", "keys": 2, "more": {"a": [1]}, "at": "2026-03-01T00:00:00Z"}


def test_both_forms_at_once(human, as_json):
    with logs.configured(To(log_human=str(human), log_json=str(as_json))):
        log.warning("event", a=1)
    assert lines(human)[0].endswith("[warn]  coderai.gateway: event  a=1")
    assert (objects(as_json)[0]["level"], objects(as_json)[0]["fields"]) == ("WARN", {"a": 1})


def test_both_forms_off_writes_nothing(capfd):
    with logs.configured(To()):
        log.error("event")
        logging.getLogger("somebody.else").error("event")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("path", "place"), [("/dev/stderr", 1), ("/dev/stdout", 0)])
def test_the_streams_of_the_process(capfd, path, place):
    with logs.configured(To(log_human=path)):
        log.info("event")
    assert "coderai.gateway: event" in capfd.readouterr()[place]


@pytest.mark.parametrize(
    ("expressions", "written"),
    [
        ((), []),
        ((".*",), ["one thing", "another"]),
        (("^one",), ["one thing"]),
        (("gateway$",), ["one thing", "another"]),
    ],
)
def test_debug_lines_come_through_when_logger_or_message_match(as_json, expressions, written):
    with logs.configured(To(log_json=str(as_json), log_filter=expressions)):
        log.debug("one thing")
        log.debug("another")
    assert [line["msg"] for line in objects(as_json)] == written


def test_other_lines_come_through_whatever_the_filter(as_json):
    with logs.configured(To(log_json=str(as_json), log_filter=("nothing",))):
        log.info("event")
    assert len(objects(as_json)) == 1


def test_debugging_is_known_before_a_line_is_made(human):
    with logs.configured(To(log_human=str(human))):
        assert not log.debugging
    with logs.configured(To(log_human=str(human), log_filter=("x",))):
        assert log.debugging


def test_a_disabled_debug_line_looks_at_nothing(human):
    class Costly:
        def __str__(self) -> str:
            raise AssertionError

    with logs.configured(To(log_human=str(human))):
        log.debug("event", costly=Costly())
    assert lines(human) == []


def test_warnings_of_libraries_are_written_and_their_chatter_is_not(as_json):
    with logs.configured(To(log_json=str(as_json), log_filter=(".*",))):
        logging.getLogger("aiohttp.server").warning("slow %s", "peer")
        logging.getLogger("aiohttp.server").info("chatter")
    assert [(line["msg"], line["logger_names"]) for line in objects(as_json)] == [("slow peer", ["aiohttp", "server"])]


def test_an_error_may_carry_its_traceback(human, as_json):
    with pytest.raises(LookupError) as caught:
        raise LookupError("no row")
    with logs.configured(To(log_human=str(human), log_json=str(as_json))):
        log.error("job failed", job="retention", exception=caught.value)
    assert lines(human)[0].endswith("[erro]  coderai.gateway: job failed  job=retention exception=…")
    assert (lines(human)[1], lines(human)[-1]) == ("    Traceback (most recent call last):", "    LookupError: no row")
    assert objects(as_json)[0]["fields"]["exception"].endswith("LookupError: no row")


def test_one_value_of_several_lines_is_moved_below(human):
    with logs.configured(To(log_human=str(human))):
        log.info("event", a=1, text="first\nsecond", b=2)
    assert lines(human)[0].endswith("event  a=1 b=2 text=…")
    assert lines(human)[1:] == ["    first", "    second"]


def test_text_from_outside_cannot_forge_a_line_or_steer_a_terminal(human, as_json):
    with logs.configured(To(log_human=str(human), log_json=str(as_json))):
        log.info("bad\nevent\x1b[2J", a="\x1b[31m", b='x" c="y', text="p\n\x1b[0mq\rr\u202e")
    text = human.read_text(encoding="utf-8")
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", text)
    assert r'a="\u001b[31m" b="x\" c=\"y"' in text
    assert all(line.startswith("    ") for line in text.splitlines()[1:])
    assert len(as_json.read_bytes().splitlines()) == 1


def test_a_percent_sign_is_just_text(human):
    with logs.configured(To(log_human=str(human))):
        log.info("100% %s %(x)s")
    assert lines(human)[0].endswith("coderai.gateway: 100% %s %(x)s")


def test_lone_surrogates_are_written_so_that_they_are_read_back(as_json):
    with logs.configured(To(log_json=str(as_json))):
        log.info("event", text="\ud800é")
    assert objects(as_json)[0]["fields"] == {"text": "\ud800é"}


def test_a_value_that_cannot_be_shown_does_not_harm_its_caller(as_json):
    class Broken:
        def __str__(self) -> str:
            raise ValueError

    with logs.configured(To(log_json=str(as_json))):
        log.info("event", broken=Broken())
    assert objects(as_json)[0]["msg"] == "log line cannot be shown"
    assert objects(as_json)[0]["fields"] == {"message": "event", "why": "ValueError"}


def test_a_full_disk_loses_lines_without_a_word_and_says_how_many_afterwards(tmp_path, capfd):
    path = tmp_path / "log"
    handler = LineHandler("/dev/full")
    record = logging.makeLogRecord({"msg": "event", "name": "coderai.x", "levelno": logging.INFO})
    handler.emit(record)
    handler.emit(record)
    assert handler.lost == 2
    assert capfd.readouterr() == ("", "")
    good = os.open(path, os.O_WRONLY | os.O_CREAT)
    os.dup2(good, handler._file)  # the disk has room again
    os.close(good)
    handler.setFormatter(logging.Formatter("%(message)s %(fields)s", defaults={"fields": ""}))
    handler.emit(record)
    handler.close()
    assert lines(path) == ["log lines lost {'lines': 2}", "event "]


@pytest.fixture
def pipe(tmp_path: Path):
    """The path of a pipe, and the end that reads it."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    os.set_blocking(reader, True)
    yield path, reader
    os.close(reader)


def read_lines(reader: int, count: int) -> list[bytes]:
    got = b""
    while got.count(b"\n") < count:
        got += os.read(reader, 1 << 16)
    return got.splitlines()


def numbered(number: int, size: int = 1000) -> logging.LogRecord:
    return logging.makeLogRecord({"msg": f"{number} {'x' * size}", "name": "coderai.x", "levelno": logging.INFO})


@pytest.mark.parametrize("size", [1000, 10_000])
def test_nobody_waits_for_who_reads_a_pipe_and_lines_keep_their_order(pipe, size):
    path, reader = pipe
    handler = LineHandler(str(path))
    handler.setFormatter(logging.Formatter("%(message)s"))
    for number in range(80):
        handler.emit(numbered(number, size))
    got = read_lines(reader, 80)
    assert [int(line.split()[0]) for line in got] == list(range(80))
    handler.close()
    assert os.read(reader, 1) == b""  # it is closed


def test_of_a_pipe_that_nobody_reads_a_bounded_amount_is_held_and_the_loss_is_told(pipe):
    path, reader = pipe
    handler = LineHandler(str(path), most_held=50_000)
    handler.setFormatter(logging.Formatter("%(message)s %(fields)s", defaults={"fields": ""}))
    for number in range(1000):
        handler.emit(numbered(number))
    with os.fdopen(os.dup(reader), "r") as end, ThreadPoolExecutor() as threads:
        got = threads.submit(end.readlines)
        for thread in [each for each in threading.enumerate() if each.name == "log"]:
            thread.join()
        handler.emit(numbered(1000))
        handler.close()
    kept = [int(line.split()[0]) for line in got.result() if "lost" not in line]
    losses = [int(re.sub(r"\D", "", line)) for line in got.result() if "lost" in line]
    assert (len(kept) + sum(losses), kept[-1], kept) == (1001, 1000, sorted(kept))
    assert len(kept) < 200


def test_a_pipe_that_nobody_has_opened_is_no_reason_to_wait(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with (
        pytest.raises(BadSettings, match="cannot be opened: nobody reads from it"),
        logs.configured(To(log_json=str(tmp_path / "pipe"))),
    ):
        pass


def test_lines_are_appended_and_only_their_owner_reads_them(human):
    for _ in range(2):
        with logs.configured(To(log_human=str(human))):
            log.info("event")
    assert len(lines(human)) == 2
    assert human.stat().st_mode & 0o777 == 0o600


def test_a_file_that_cannot_be_opened_is_named():
    with (
        pytest.raises(BadSettings, match='log file "/nowhere/x" cannot be opened: No such file'),
        logs.configured(To(log_human="/nowhere/x")),
    ):
        pass


def test_leaving_gives_everything_back(human):
    before = (list(logging.getLogger().handlers), logging.getLogger("coderai").level, len(os.listdir("/proc/self/fd")))
    with logs.configured(To(log_human=str(human), log_filter=(".*",))):
        pass
    after = (list(logging.getLogger().handlers), logging.getLogger("coderai").level, len(os.listdir("/proc/self/fd")))
    assert after == before


def test_after_a_rotation_lines_go_to_the_new_file(human):
    with logs.configured(To(log_human=str(human))):
        log.info("one")
        human.rename(human.with_suffix(".1"))
        log.info("two")
        logs.reopen()
        log.info("three")
    assert [line.rpartition(" ")[2] for line in lines(human.with_suffix(".1"))] == ["one", "two"]
    assert [line.rpartition(" ")[2] for line in lines(human)] == ["three"]


def test_a_file_that_cannot_be_opened_anew_is_kept(tmp_path):
    folder, later = tmp_path / "logs", tmp_path / "elsewhere"
    folder.mkdir()
    with logs.configured(To(log_human=str(folder / "log"))):
        folder.rename(later)
        logs.reopen()
    assert "coderai.logs: log file stays the old one" in (later / "log").read_text()


def test_the_streams_of_the_process_are_not_reopened(capfd):
    with logs.configured(To(log_human="/dev/stderr")):
        logs.reopen()
        log.info("event")
    assert "event" in capfd.readouterr().err
