"""The audit log of administration: what gets in, what does not, and who reads it."""

import pytest

from tests.api.conftest import Api

SECRET = "correct horse battery"


async def log(api: Api, **parameters: str) -> list[dict[str, object]]:
    return list((await api.get("audit", "audrey", **parameters)).body["audit_logs"])


async def test_an_entry_says_who_did_what_when_and_from_where(api: Api) -> None:
    made = await api.ask(
        "POST", "users", json={"username": "new", "email": "n@example.com"}, headers={"User-Agent": "a tool/1"}
    )
    (entry,) = await log(api)
    assert entry | {"id": "", "time": ""} == {
        "id": "",
        "time": "",
        "request_id": made.headers["X-Request-Id"],
        "ip": "127.0.0.1",
        "user_agent": "a tool/1",
        "resource_type": "user",
        "resource_id": made.body["id"],
        "resource_target": "new",
        "action": "create",
        "diff": {
            "username": {"old": None, "new": "new", "secret": False},
            "email": {"old": None, "new": "n@example.com", "secret": False},
            "status": {"old": None, "new": "active", "secret": False},
            "login_type": {"old": None, "new": "password", "secret": False},
        },
        "status_code": 201,
        "additional_fields": {},
        "description": "olga created user new",
        "user": {"id": api.ids["olga"], "username": "olga", "name": "Olga M", "avatar_url": ""},
    }


async def test_every_change_is_noted_newest_first(api: Api) -> None:
    await api.ask("PUT", "users/mia/status/suspend")
    await api.ask("PUT", "users/mia/status/activate", "uwe")
    await api.ask("PUT", "users/mia/roles", json={"roles": ["auditor"]})
    await api.ask("PUT", "users/me/profile", "mia", json={"name": "Maria"})
    await api.ask("DELETE", "users/mia")
    assert [(each["description"], sorted(each["diff"])) for each in await log(api)] == [  # type: ignore[call-overload]
        ("olga removed user mia", ["deleted"]),
        ("mia changed user mia", ["name"]),
        ("olga changed user mia", ["roles"]),
        ("uwe changed user mia", ["status"]),
        ("olga changed user mia", ["status"]),
    ]


async def test_tokens_are_noted_without_their_secrets(api: Api) -> None:
    key = (await api.post("users/mia/keys/tokens", {"token_name": "laptop", "scopes": ["ai:use"]})).body["key"]
    await api.ask("PUT", f"users/mia/keys/{key[:10]}/expire")
    await api.ask("DELETE", f"users/mia/keys/{key[:10]}")
    entries = await log(api, resource_type="api_key")
    assert [each["description"] for each in entries] == [
        "olga removed token laptop of mia",
        "olga changed token laptop of mia",
        "olga created token laptop of mia",
    ]
    assert key.partition("-")[2] not in str(entries)


async def test_a_change_that_changes_nothing_is_not_noted(api: Api) -> None:
    await api.ask("PUT", "users/mia/status/activate")
    assert await log(api) == []


async def test_a_refused_change_is_not_noted(api: Api) -> None:
    await api.ask("DELETE", "users/olga", "uwe")
    await api.post("users", {"username": "mia", "email": "x@example.com"})
    assert await log(api) == []


async def test_signing_in_is_noted_and_so_is_failing_to(api: Api) -> None:
    await api.ask("PUT", "users/mia/password", json={"password": SECRET})
    for email, password in [("mia@example.com", SECRET), ("mia@example.com", "wrong"), (SECRET, "?")]:
        await api.ask("POST", "users/login", None, json={"email": email, "password": password})
    entries = await log(api, action="login")
    assert [(each["description"], each["status_code"]) for each in entries] == [
        ("mia failed to sign in", 401),
        ("mia signed in", 201),
    ]


async def test_passwords_are_in_no_entry(api: Api) -> None:
    for password in (SECRET, SECRET + "2"):
        await api.ask("PUT", "users/mia/password", json={"password": password})
    entries = await log(api)
    assert [each["diff"] for each in entries] == [{"hashed_password": {"old": "", "new": "", "secret": True}}] * 2
    assert SECRET not in str(entries)
    assert "argon2" not in str(entries)


NARROWED = [
    ({}, 3),
    ({"q": "uwe"}, 0),
    ({"q": "MIA"}, 2),
    ({"username": "uwe"}, 1),
    ({"q": "username:olga action:write"}, 1),
    ({"resource_type": "user", "action": "delete"}, 1),
    ({"date_from": "2020-01-01", "date_to": "2099-12-31"}, 3),
    ({"date_to": "2020-01-01"}, 0),
    ({"q": 'date_from:"2099-01-01T00:00:00Z"'}, 0),
    ({"request_id": "x"}, 0),
]


async def test_the_log_is_narrowed(api: Api) -> None:
    await api.ask("PUT", "users/mia/status/suspend")
    await api.ask("PUT", "users/mia/roles", "uwe", json={"roles": ["user-admin"]})
    await api.ask("DELETE", "users/max")
    found = [(await api.get("audit", **parameters)).body["count"] for parameters, _ in NARROWED]
    assert found == [count for _, count in NARROWED]


@pytest.mark.parametrize("dialect", ["sqlite"])
@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({"q": "colour:red"}, "colour"),
        ({"username": "nobody"}, "username"),
        ({"date_from": "yesterday"}, "date_from"),
        ({"date_to": "2026-13-01"}, "date_to"),
        ({"date_to": "9999-12-31T23:59:59-23:59"}, "date_to"),
        ({"limit": "1001"}, "limit"),
        ({"offset": "-1"}, "offset"),
        ({"after_id": "x"}, "after_id"),
        ({"after_id": "00000000-0000-7000-8000-000000000000", "offset": "1"}, "offset"),
        ({"resource_id": "\0"}, "resource_id"),
    ],
)
async def test_what_is_wrong_with_a_search_is_said_by_field(api: Api, parameters: dict[str, str], field: str) -> None:
    answer = await api.get("audit", **parameters)
    assert (answer.status, answer.fields) == (400, [field])


async def test_the_log_comes_in_pages(api: Api) -> None:
    for name in ("mia", "max", "uwe"):
        await api.ask("PUT", f"users/{name}/status/suspend")
    first = (await api.get("audit", limit="2")).body
    second = (await api.get("audit", limit="2", after_id=first["audit_logs"][-1]["id"])).body
    skipped = (await api.get("audit", offset="2")).body
    targets = [each["resource_target"] for page in (first, second, skipped) for each in page["audit_logs"]]
    assert (targets, first["count"], second["count"]) == (["uwe", "max", "mia", "mia"], 3, 3)
