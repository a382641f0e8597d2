"""Users and their tokens over HTTP."""

from datetime import datetime, timedelta

import pytest
from yarl import URL

from tests.api.conftest import Api

HOUR_NS = 3_600 * 10**9
DAY_NS = 24 * HOUR_NS


async def create_token(api: Api, who: str = "mia", user: str = "me", **body: object) -> str:
    answer = await api.post(f"users/{user}/keys/tokens", body, who)
    assert answer.status == 201
    return str(answer.body["key"])


async def test_a_user_has_all_members_of_the_original(api: Api) -> None:
    user = (await api.get("users/me", "mia")).body
    assert user["id"] == api.ids["mia"]
    assert user | {"id": "", "created_at": "", "updated_at": ""} == {
        "id": "",
        "username": "mia",
        "name": "Mia M",
        "avatar_url": "",
        "email": "mia@example.com",
        "created_at": "",
        "updated_at": "",
        "last_seen_at": "0001-01-01T00:00:00Z",
        "status": "active",
        "login_type": "password",
        "organization_ids": ["00000000-0000-0000-0000-000000000001"],
        "roles": [],
        "is_service_account": False,
    }


async def test_users_are_found_by_id_name_and_me(api: Api) -> None:
    names = ["mia", "MIA", api.ids["mia"], api.ids["mia"].upper()]
    assert [(await api.get(f"users/{name}")).body["username"] for name in names] == ["mia"] * 4


async def test_who_is_not_there_and_who_may_not_be_seen_look_alike(api: Api) -> None:
    answers = [await api.get(path, "mia") for path in ("users/nobody", "users/olga", f"users/{api.ids['max']}")]
    assert {(answer.status, answer.text) for answer in answers} == {(404, answers[0].text)}
    assert (await api.get("users/mia", "mia")).status == 200


async def test_who_sees_which_users(api: Api) -> None:
    bodies = {who: (await api.get("users", who)).body for who in ("olga", "audrey", "uwe", "mia", "bot")}
    seen = {who: len(body["users"]) for who, body in bodies.items()}
    assert seen == {"olga": 6, "audrey": 6, "uwe": 6, "mia": 1, "bot": 1}
    assert {who: body["count"] for who, body in bodies.items()} == seen


SEARCHES = {
    "MIA": ["mia"],
    "example.com": ["audrey", "max", "mia", "olga", "uwe"],
    "m_a": [],
    "role:auditor": ["audrey"],
    "service_account:true": ["bot"],
    "login_type:none": ["bot"],
    "status:suspended,dormant": [],
    'name:"mia m"': ["mia"],
    'created_after:"2099-01-01T00:00:00Z"': [],
    'created_before:"2099-01-01T00:00:00Z" mia': ["mia"],
    'last_seen_after:"2020-01-01T00:00:00Z"': [],
}


async def test_users_are_searched(api: Api) -> None:
    found = {q: [user["username"] for user in (await api.get("users", q=q)).body["users"]] for q in SEARCHES}
    assert found == SEARCHES


async def test_users_come_in_pages(api: Api) -> None:
    body = (await api.get("users", limit="2", offset="1")).body
    assert ([user["username"] for user in body["users"]], body["count"]) == (["bot", "max"], 6)


async def test_users_come_in_pages_after_the_last_one(api: Api) -> None:
    body = (await api.get("users", limit="2", after_id=api.ids["bot"])).body
    assert ([user["username"] for user in body["users"]], body["count"]) == (["max", "mia"], 6)


@pytest.mark.parametrize("dialect", ["sqlite"])
@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({"after_id": "x"}, "after_id"),
        ({"after_id": "00000000-0000-7000-8000-000000000000", "offset": "1"}, "after_id"),
        ({"q": "created_after:yesterday"}, "created_after"),
        ({"q": "service_account:perhaps"}, "service_account"),
    ],
)
async def test_what_is_wrong_with_a_list_is_said_by_field(api: Api, parameters: dict[str, str], field: str) -> None:
    answer = await api.get("users", **parameters)
    assert (answer.status, answer.fields) == (400, [field])


async def test_a_new_user_is_active(api: Api) -> None:
    body = {"username": "new", "email": "new@example.com", "password": "long enough", "roles": ["auditor"]}
    answer = await api.post("users", body)
    assert (answer.status, answer.body["status"]) == (201, "active")
    assert answer.body["roles"] == [{"name": "auditor", "display_name": "Auditor"}]
    assert "long enough" not in answer.text


async def test_a_service_account_needs_no_email(api: Api) -> None:
    answer = await api.post("users", {"username": "ci", "service_account": True})
    assert (answer.status, answer.body["is_service_account"], answer.body["login_type"]) == (201, True, "none")


@pytest.mark.parametrize("dialect", ["sqlite"])
@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["username"]),
        ({"username": "a b"}, ["username", "email"]),
        ({"username": "a--b", "email": "x"}, ["username", "email"]),
        ({"username": "a" * 33, "email": "a@b"}, ["username"]),
        ({"username": "me", "email": "a@b"}, ["username"]),
        ({"username": "a", "email": "a@b", "password": "short"}, ["password"]),
        ({"username": "a", "email": "a@b", "login_type": "none", "password": "long enough"}, ["password"]),
        ({"username": "a", "email": "a@b", "login_type": "oidc"}, ["login_type"]),
        ({"username": "a", "email": "a@b", "roles": ["king"]}, ["roles"]),
        ({"username": "a", "email": "a@b", "user_status": "asleep"}, ["user_status"]),
        ({"username": "a", "email": "a@b", "name": "x\u0000"}, ["name"]),
        ({"username": "a", "service_account": True, "email": "a@b", "password": "long enough"}, ["email", "password"]),
        ({"username": 7, "roles": [1]}, ["username", "roles[0]"]),
    ],
)
async def test_what_is_wrong_with_a_new_user_is_said_by_field(api: Api, body: object, fields: list[str]) -> None:
    answer = await api.post("users", body)
    assert (answer.status, answer.fields) == (400, fields)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"username": "MIA", "email": "other@example.com"}, "username"),
        ({"username": "other", "email": "MIA@example.com"}, "email"),
    ],
)
async def test_names_and_addresses_belong_to_one(api: Api, body: object, field: str) -> None:
    answer = await api.post("users", body)
    assert (answer.status, answer.fields) == (409, [field])


@pytest.mark.parametrize(("who", "status"), [("mia", 403), ("audrey", 403), ("uwe", 201), ("olga", 201)])
async def test_who_may_create_users(api: Api, who: str, status: int) -> None:
    assert (await api.post("users", {"username": "new", "email": "new@example.com"}, who)).status == status


@pytest.mark.parametrize("role", ["owner", "auditor"])
async def test_a_user_admin_cannot_make_those_who_see_everything(api: Api, role: str) -> None:
    answer = await api.post("users", {"username": "new", "email": "new@example.com", "roles": [role]}, "uwe")
    assert answer.status == 403


async def test_the_first_user_is_made_over_the_private_socket_only(private: Api, api: Api) -> None:
    body = {"username": "boss", "email": "boss@example.com", "password": "long enough"}
    assert (await api.post("users/first", body, None)).status == 405
    assert (await api.get("users/first", None)).status == 200
    assert (await private.post("users/first", body, None)).status == 409


async def test_the_first_user_is_an_owner(private: Api) -> None:
    assert (await private.get("users/first", None)).status == 404
    body = {"username": "boss", "email": "boss@example.com", "password": "long enough"}
    made = await private.post("users/first", body, None)
    assert (made.status, set(made.body)) == (201, {"user_id", "organization_id"})
    me = (await private.get("users/me", None)).body
    assert (me["username"], me["roles"][0]["name"]) == ("boss", "owner")


async def test_a_token_works_and_is_shown_once(api: Api) -> None:
    token = await create_token(api, token_name="laptop")
    assert (await api.get("users/me", None, access_token=token)).body["username"] == "mia"
    listed = await api.get("users/me/keys/tokens", "mia")
    assert token.partition("-")[2] not in listed.text


async def test_a_token_has_all_members_of_the_original(api: Api) -> None:
    token = await create_token(api, token_name="laptop", lifetime=HOUR_NS, scopes=["ai:use", "ai:read"])
    shown = (await api.get("users/me/keys/tokens/laptop", "mia")).body
    life = datetime.fromisoformat(shown["expires_at"]) - datetime.fromisoformat(shown["created_at"])
    assert life == timedelta(hours=1)
    assert shown | {"expires_at": "", "created_at": "", "updated_at": ""} == {
        "id": token[:10],
        "user_id": api.ids["mia"],
        "last_used": "1970-01-01T00:00:00Z",
        "expires_at": "",
        "created_at": "",
        "updated_at": "",
        "login_type": "token",
        "scope": "",
        "scopes": ["ai:use", "ai:read"],
        "token_name": "laptop",
        "lifetime_seconds": 3600,
        "allow_list": [{"type": "*", "id": "*"}],
        "delegate": False,
        "username": "mia",
    }
    assert (await api.get(f"users/mia/keys/{token[:10]}", "mia")).body == shown


async def test_without_wishes_a_token_gets_a_name_and_the_default_lifetime(api: Api) -> None:
    token = await create_token(api)
    shown = (await api.get(f"users/me/keys/{token[:10]}", "mia")).body
    assert (shown["lifetime_seconds"], shown["scopes"], shown["scope"]) == (3 * 86_400, ["coder:all"], "all")
    assert len(shown["token_name"]) > 8


@pytest.mark.parametrize("dialect", ["sqlite"])
@pytest.mark.parametrize(
    ("who", "body", "fields"),
    [
        ("mia", {"lifetime": -1}, ["lifetime"]),
        ("mia", {"lifetime": 200 * 365 * DAY_NS}, ["lifetime"]),
        ("olga", {"lifetime": 30 * DAY_NS}, ["lifetime"]),
        ("mia", {"lifetime": 10**30}, ["lifetime"]),
        ("mia", {"lifetime": "1h"}, ["lifetime"]),
        ("mia", {"scopes": ["coder:everything"]}, ["scopes"]),
        ("mia", {"token_name": " x"}, ["token_name"]),
        ("mia", {"token_name": "x\u0000"}, ["token_name"]),
        ("mia", {"token_name": "x" * 65}, ["token_name"]),
    ],
)
async def test_what_is_wrong_with_a_new_token_is_said_by_field(
    api: Api, who: str, body: object, fields: list[str]
) -> None:
    answer = await api.post("users/me/keys/tokens", body, who)
    assert (answer.status, answer.fields) == (400, fields)


async def test_the_maximum_is_the_owners_of_the_token(api: Api) -> None:
    month = {"lifetime": 30 * DAY_NS}
    assert (await api.post("users/mia/keys/tokens", month, "olga")).status == 201
    refused = await api.post("users/olga/keys/tokens", month, "olga")
    assert "maximum" in refused.body["detail"]


async def test_the_maximum_can_be_asked_for(api: Api) -> None:
    assert (await api.get("users/me/keys/tokens/tokenconfig", "olga")).body == {"max_token_lifetime": 7 * DAY_NS}
    assert (await api.get("users/me/keys/tokens/tokenconfig", "mia")).body == {"max_token_lifetime": 876_600 * HOUR_NS}


async def test_a_name_is_taken_once_per_user(api: Api) -> None:
    await create_token(api, token_name="laptop")
    again = await api.post("users/me/keys/tokens", {"token_name": "laptop"}, "mia")
    assert (again.status, again.fields) == (409, ["name"])
    assert (await api.post("users/me/keys/tokens", {"token_name": "laptop"}, "max")).status == 201


@pytest.mark.parametrize("who", ["mia", "audrey", "uwe"])
async def test_tokens_of_others_are_the_owners_business(api: Api, who: str) -> None:
    theirs = f"users/max/keys/{api.tokens['max'][:10]}"
    answers = [
        await api.ask("GET", theirs, who),
        await api.ask("DELETE", theirs, who),
        await api.ask("PUT", theirs + "/expire", who),
        await api.post("users/max/keys/tokens", {}, who),
        await api.get("users/max/keys/tokens", who),
        await api.get("users/nobody/keys/tokens", who),
    ]
    assert [answer.status for answer in answers] == [404] * 6
    assert len({answer.text for answer in answers}) == 1


async def test_a_token_is_looked_for_below_its_owner(api: Api) -> None:
    assert (await api.get(f"users/mia/keys/{api.tokens['max'][:10]}")).status == 404


@pytest.mark.parametrize(("who", "owners"), [("olga", 6), ("mia", 1)])
async def test_all_tokens_are_listed_for_owners_only(api: Api, who: str, owners: int) -> None:
    listed = (await api.get("users/me/keys/tokens", who, include_all="true")).body
    assert len({token["username"] for token in listed}) == owners


async def test_a_removed_token_works_no_more(api: Api) -> None:
    token = await create_token(api, token_name="gone")
    assert (await api.ask("DELETE", f"users/me/keys/{token[:10]}", "mia")).status == 204
    assert (await api.get("users/me", None, access_token=token)).status == 401
    assert (await api.get("users/me/keys/tokens/gone", "mia")).status == 404


async def test_an_expired_token_is_kept_and_shown_on_request(api: Api) -> None:
    token = await create_token(api, token_name="old")
    assert (await api.ask("PUT", f"users/me/keys/{token[:10]}/expire", "mia")).status == 204
    refused = await api.get("users/me", None, access_token=token)
    assert (refused.status, "expired" in refused.body["detail"]) == (401, True)
    shown = [(await api.get("users/me/keys/tokens", "mia", include_expired=flag)).body for flag in ("false", "true")]
    assert [[each["token_name"] for each in tokens] for tokens in shown] == [["first"], ["first", "old"]]


async def test_acting_for_others_is_given_by_owners_only(api: Api) -> None:
    assert (await api.post("users/me/keys/tokens", {"delegate": True}, "mia")).status == 403
    assert (await api.post("users/bot/keys/tokens", {"delegate": True}, "olga")).status == 201


async def test_a_token_for_models_only_cannot_manage(api: Api) -> None:
    token = await create_token(api, scopes=["ai:use"])
    answers = [
        await api.get(path, None, access_token=token)
        for path in ("users/me", "users", "users/me/keys/tokens", "aibridge/sessions", "aibridge/models")
    ]
    assert [answer.status for answer in answers] == [403] * 5
    assert 'error="insufficient_scope"' in answers[0].headers["WWW-Authenticate"]


async def test_a_token_for_reading_reads_records(api: Api) -> None:
    token = await create_token(api, scopes=["ai:read"])
    assert (await api.get("aibridge/sessions", None, access_token=token)).status == 200


async def test_no_name_is_too_odd(api: Api) -> None:
    for name in ("%00", "%ED%A0%80", "%FF", "a%2Fb", "%E2%82%AC"):
        paths = [f"users/{name}", f"users/me/keys/{name}", f"users/me/keys/tokens/{name}", f"aibridge/sessions/{name}"]
        urls = [URL(f"/api/v2/{path}", encoded=True) for path in paths]
        assert [(await api.ask("GET", url)).status for url in urls] == [404] * 4


@pytest.mark.parametrize("parameter", ["q", "client", "initiator", "on_behalf_of", "after_session_id", "cursor"])
async def test_no_parameter_is_too_odd(api: Api, parameter: str) -> None:
    for value in ("%00", "%ED%A0%80", "%FF", "%22", ":", "model%3A%00"):
        url = URL(f"/api/v2/aibridge/sessions?{parameter}={value}", encoded=True)
        assert (await api.ask("GET", url)).status in (200, 400)


@pytest.mark.parametrize("named", ["\0", "a\0@example.com"])
async def test_who_signs_in_with_what_no_record_can_hold_is_told_so(api: Api, named: str) -> None:
    answer = await api.post("users/login", {"email": named, "password": "x"}, None)
    assert (answer.status, answer.fields) == (400, ["email"])


async def test_a_token_for_some_things_only_is_refused_rather_than_good_for_all(api: Api) -> None:
    answer = await api.post("users/me/keys/tokens", {"allow_list": [{"type": "workspace", "id": "x"}]})
    assert (answer.status, answer.fields) == (400, ["allow_list"])
    assert (await api.post("users/me/keys/tokens", {"allow_list": [{"type": "*", "id": "*"}]})).status == 201
