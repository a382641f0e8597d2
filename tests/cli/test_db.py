"""``coderai db`` on a real data directory."""

import json
import sqlite3

import pytest

from coderai.cli.main import run


@pytest.fixture
def data(alone, tmp_path, capfd):
    """A data directory as the first command leaves it."""
    assert run(["users", "list"]) == 0
    capfd.readouterr()
    return tmp_path / "data"


def spoil(data):
    row = ("s", "u", 0, "i", "Codex", 0, 0, 5)
    columns = "id, initiator_id, started_at, first_id, client, ended_at, last_active_at, interceptions"
    connection = sqlite3.connect(data / "coderai.db")
    with connection:
        connection.execute(f"INSERT INTO sessions ({columns}) VALUES (?,?,?,?,?,?,?,?)", row)
    connection.close()


def test_a_new_database_is_well(data, capfd):
    assert run(["db", "check"]) == 0
    assert capfd.readouterr().out == "0 exchanges (0 running), 0 sessions\n"


def test_a_wrong_session_is_shown_and_repaired(data, capfd):
    spoil(data)
    assert run(["db", "check"]) == 1
    assert "wrong roll-up: session s of u" in capfd.readouterr().out
    assert run(["db", "check", "--repair"]) == 0
    assert "repaired" in capfd.readouterr().err
    assert run(["db", "check", "-o", "json"]) == 0
    assert json.loads(capfd.readouterr().out) == {
        "ok": True,
        "wrong": [],
        "repaired": False,
        "interceptions": 0,
        "sessions": 0,
        "running": 0,
    }


def test_a_backup_can_take_the_place_of_the_database(data, capfd, tmp_path):
    copy = tmp_path / "copy" / "coderai.db"
    copy.parent.mkdir()
    assert run(["db", "backup", str(copy)]) == 0
    said = capfd.readouterr()
    assert f"{copy}: 0." in said.out
    assert f"{data / 'secret.key'}" in said.err
    assert run(["users", "list", "--database-url", f"sqlite:///{copy}"]) == 0
    assert "admin" in capfd.readouterr().out
    assert run(["db", "backup", str(copy)]) == 5


def test_a_database_of_today_needs_no_migration(data, capfd):
    assert run(["db", "migrate"]) == 0
    assert capfd.readouterr().out.startswith("Nothing to do: the database has schema ")


def test_without_a_database_nothing_is_made(alone, capfd, tmp_path):
    assert [run(["db", verb, *rest]) for verb, *rest in (["check"], ["migrate"], ["backup", "x"])] == [1, 1, 1]
    assert not (tmp_path / "data").exists()
