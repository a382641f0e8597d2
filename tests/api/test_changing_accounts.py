"""Changes of users: who may, and what must not happen."""

import asyncio

import pytest

from tests.api.conftest import Api

LONG = "quite long enough"


@pytest.fixture
def dialect(request: pytest.FixtureRequest) -> str:
    """Only some of this differs by database; those tests say so."""
    return str(getattr(request, "param", "sqlite"))


both = pytest.mark.parametrize("dialect", ["sqlite", "postgresql"], indirect=True)


@both
async def test_a_suspended_user_is_refused_and_let_in_again(api: Api) -> None:
    assert (await api.ask("PUT", "users/mia/status/suspend")).body["status"] == "suspended"
    refused = await api.get("users/me", "mia")
    assert (refused.status, "suspended" in refused.body["detail"]) == (401, True)
    assert (await api.ask("PUT", "users/mia/status/activate")).body["status"] == "active"
    assert (await api.get("users/me", "mia")).status == 200


@both
async def test_a_deleted_user_is_gone_and_the_name_is_free(api: Api) -> None:
    assert (await api.ask("DELETE", "users/mia")).status == 200
    assert (await api.get("users/me", "mia")).status == 401
    assert [(await api.get(f"users/{name}")).status for name in ("mia", api.ids["mia"])] == [404, 404]
    assert (await api.post("users", {"username": "mia", "email": "mia@example.com"})).status == 201
    assert (await api.ask("DELETE", f"users/{api.ids['mia']}")).status == 404


@both
async def test_a_profile_is_changed(api: Api) -> None:
    edited = await api.ask("PUT", "users/me/profile", "mia", json={"username": "maria", "name": "Maria"})
    assert (edited.status, edited.body["username"], edited.body["name"]) == (200, "maria", "Maria")
    assert (await api.get("users/me", "mia")).body["username"] == "maria"


async def test_what_is_not_sent_stays(api: Api) -> None:
    before = (await api.get("users/mia")).body
    after = (await api.ask("PUT", "users/mia/profile", json={})).body
    assert after | {"updated_at": ""} == before | {"updated_at": ""}


@pytest.mark.parametrize(
    ("body", "status", "fields"),
    [
        ({"username": "a b"}, 400, ["username"]),
        ({"username": "me"}, 400, ["username"]),
        ({"name": "x" * 129}, 400, ["name"]),
        ({"email": "nowhere"}, 400, ["email"]),
        ({"email": ""}, 400, ["email"]),
        ({"username": "MAX"}, 409, ["username"]),
        ({"email": "max@example.com"}, 409, ["email"]),
    ],
)
async def test_what_is_wrong_with_a_profile_is_said_by_field(
    api: Api, body: object, status: int, fields: list[str]
) -> None:
    answer = await api.ask("PUT", "users/mia/profile", json=body)
    assert (answer.status, answer.fields) == (status, fields)


async def test_the_own_email_is_changed_by_who_manages_users(api: Api) -> None:
    assert (await api.ask("PUT", "users/me/profile", "mia", json={"email": "x@example.com"})).status == 403
    assert (await api.ask("PUT", "users/mia/profile", "uwe", json={"email": "x@example.com"})).status == 200


@both
async def test_roles_are_replaced(api: Api) -> None:
    assert (await api.ask("PUT", "users/mia/roles", json={"roles": ["user-admin", "auditor"]})).status == 200
    assert (await api.get("users/mia/roles")).body == {"roles": ["auditor", "user-admin"], "organization_roles": {}}
    assert (await api.get("audit", "mia")).status == 200
    await api.ask("PUT", "users/mia/roles", json={"roles": []})
    assert (await api.get("audit", "mia")).status == 403


async def test_roles_that_there_are(api: Api) -> None:
    shown = {who: (await api.get("users/roles", who)).body for who in ("olga", "uwe", "mia")}
    given = {who: [role["name"] for role in roles if role["assignable"]] for who, roles in shown.items()}
    assert given == {"olga": ["owner", "auditor", "user-admin"], "uwe": ["user-admin"], "mia": []}


@pytest.mark.parametrize("body", [{}, {"roles": ["king"]}, {"roles": "owner"}])
async def test_roles_that_there_are_not(api: Api, body: object) -> None:
    answer = await api.ask("PUT", "users/mia/roles", json=body)
    assert (answer.status, answer.fields) == (400, ["roles"])


async def test_a_service_account_is_no_owner(api: Api) -> None:
    assert (await api.ask("PUT", "users/bot/roles", json={"roles": ["owner"]})).fields == ["roles"]


@pytest.mark.parametrize("who", ["olga", "audrey"])
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "status/suspend", None),
        ("PUT", "roles", {"roles": []}),
        ("PUT", "password", {"password": LONG}),
        ("PUT", "profile", {"username": "nobody"}),
        ("DELETE", "", None),
    ],
)
async def test_a_user_admin_does_nothing_to_those_who_see_everything(
    api: Api, who: str, method: str, path: str, body: object
) -> None:
    answer = await api.ask(method, f"users/{who}/{path}".rstrip("/"), "uwe", json=body)
    assert answer.status == 403
    assert (await api.get("users/me", who)).status == 200


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [("PUT", "/status/suspend", None), ("PUT", "/roles", {"roles": []}), ("DELETE", "", None)],
)
async def test_nobody_shuts_the_own_door(api: Api, method: str, path: str, body: object) -> None:
    answer = await api.ask(method, f"users/me{path}", json=body)
    assert (answer.status, "own account" in answer.body["message"]) == (400, True)


@both
async def test_one_of_two_owners_may_go(api: Api) -> None:
    await api.ask("PUT", "users/mia/roles", json={"roles": ["owner"]})
    assert (await api.ask("DELETE", "users/olga", "mia")).status == 200


@both
async def test_the_last_owner_stays(api: Api, private: Api) -> None:
    """Over the private socket one is the oldest owner; a second one that was suspended does not count."""
    await api.ask("PUT", "users/mia/roles", json={"roles": ["owner"]})
    await api.ask("PUT", "users/mia/status/suspend")
    assert (await private.ask("PUT", "users/olga/roles", None, json={"roles": []})).status == 400
    assert (await api.ask("DELETE", "users/mia")).status == 200


async def test_the_own_password_needs_the_old_one(api: Api) -> None:
    assert (await api.ask("PUT", "users/me/password", "mia", json={"password": LONG})).status == 204
    changes = [{"password": LONG + "2"}, {"password": LONG + "2", "old_password": "wrong"}]
    answers = [await api.ask("PUT", "users/me/password", "mia", json=body) for body in changes]
    assert [(answer.status, answer.fields) for answer in answers] == [(400, ["old_password"])] * 2
    right = {"password": LONG + "2", "old_password": LONG}
    assert (await api.ask("PUT", "users/me/password", "mia", json=right)).status == 204


async def test_a_short_password_is_refused(api: Api) -> None:
    answer = await api.ask("PUT", "users/mia/password", json={"password": "short"})
    assert (answer.status, answer.fields) == (400, ["password"])


@both
async def test_a_new_password_ends_all_sessions_but_the_one_in_use(api: Api) -> None:
    await api.ask("PUT", "users/mia/password", "uwe", json={"password": LONG})
    sessions = [(await api.post("users/me/keys", None, "mia")).body["key"] for _ in range(2)]
    body = {"password": LONG + "2", "old_password": LONG}
    await api.ask("PUT", "users/me/password", None, json=body, headers={"Coder-Session-Token": sessions[0]})
    alive = [(await api.get("users/me", None, access_token=token)).status for token in [*sessions, api.tokens["mia"]]]
    assert alive == [200, 401, 200]


async def test_a_service_account_gets_no_password(api: Api) -> None:
    assert (await api.ask("PUT", "users/bot/password", json={"password": LONG})).status == 409


async def test_the_operator_needs_no_old_password(api: Api, private: Api) -> None:
    for password in (LONG, LONG + "2"):
        answer = await private.ask("PUT", "users/olga/password", None, json={"password": password})
        assert answer.status == 204


async def test_only_service_accounts_act_for_others(api: Api) -> None:
    refused = await api.post("users/mia/keys/tokens", {"delegate": True})
    assert (refused.status, refused.fields) == (400, ["delegate"])


@both
async def test_two_owners_who_remove_each_other_leave_one(api: Api) -> None:
    await api.ask("PUT", "users/mia/roles", json={"roles": ["owner"]})
    answers = await asyncio.gather(
        api.ask("DELETE", "users/mia", "olga"), api.ask("PUT", "users/olga/roles", "mia", json={"roles": []})
    )
    assert sorted(answer.status for answer in answers)[0] == 200
    assert sorted(answer.status for answer in answers)[1] in (401, 409)
    owners = (await api.get("users", "audrey", q="role:owner")).body["users"]
    assert len(owners) == 1


@both
async def test_a_name_can_be_given_by_one_request_only(api: Api) -> None:
    body = {"username": "same", "email": "same@example.com"}
    answers = await asyncio.gather(*(api.post("users", body) for _ in range(4)))
    assert sorted(answer.status for answer in answers) == [201, 409, 409, 409]
