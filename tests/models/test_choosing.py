"""Which model is meant, and why."""

from dataclasses import replace

import pytest

from coderai.errors import Invalid
from coderai.models.choosing import Choice, Layer, Mode, Personal, Wishes, choose

BROKEN = {"off": "it is disabled", "gone": "it is deleted"}
OWN = Personal(Mode.MODEL, "own")
ALL = Wishes(personal=OWN, personal_allowed=True, deployment="admins", parent="chats", default="default")


def chosen(context: str, wishes: Wishes) -> Choice:
    return choose(context, wishes, lambda model_id: BROKEN.get(model_id, ""))


TABLE = [
    ("general", {}, "own", Layer.PERSONAL),
    ("explore", {}, "own", Layer.PERSONAL),
    ("root", {}, "own", Layer.PERSONAL),
    ("title_generation", {}, "admins", Layer.DEPLOYMENT),
    ("general", {"explicit": "named"}, "named", Layer.EXPLICIT),
    ("general", {"personal_allowed": False}, "admins", Layer.DEPLOYMENT),
    ("root", {"personal_allowed": False}, "default", Layer.DEFAULT),
    ("general", {"personal": None}, "admins", Layer.DEPLOYMENT),
    ("general", {"personal": Personal(Mode.DEPLOYMENT_DEFAULT)}, "admins", Layer.DEPLOYMENT),
    ("general", {"personal": Personal(Mode.CHAT_DEFAULT)}, "chats", Layer.PARENT),
    ("root", {"personal": Personal(Mode.CHAT_DEFAULT)}, "default", Layer.DEFAULT),
    ("general", {"personal": Personal(Mode.CHAT_DEFAULT), "personal_allowed": False}, "admins", Layer.DEPLOYMENT),
    ("general", {"personal": Personal(Mode.MODEL, "off")}, "admins", Layer.DEPLOYMENT),
    ("general", {"personal": Personal(Mode.MODEL, "gone"), "deployment": "off"}, "chats", Layer.PARENT),
    ("general", {"personal": None, "deployment": ""}, "chats", Layer.PARENT),
    ("root", {"personal": Personal(Mode.MODEL, "gone")}, "default", Layer.DEFAULT),
    ("title_generation", {"deployment": ""}, "chats", Layer.PARENT),
    ("title_generation", {"deployment": "off"}, "", None),
    ("root", {"personal": None, "default": ""}, "", None),
    ("root", {"personal": None, "default": "off"}, "", None),
]


@pytest.mark.parametrize(("context", "differently", "model_id", "layer"), TABLE)
def test_the_order_of_the_layers(context, differently, model_id, layer):
    choice = chosen(context, replace(ALL, **differently))
    assert (choice.model_id, choice.layer) == (model_id, layer)


def test_every_layer_that_was_asked_says_why_it_did_not_decide():
    choice = chosen("general", replace(ALL, personal=Personal(Mode.MODEL, "gone"), deployment="off"))
    assert [f"{step.layer}: {step.outcome}" for step in choice.steps] == [
        "personal: the person's own override cannot be used: it is deleted",
        "deployment: the administrator's override cannot be used: it is disabled",
        "parent: the model of the chat",
    ]
    assert choice.reason == "the model of the chat"


def test_without_a_model_the_reason_says_why():
    assert chosen("root", Wishes()).reason == "no default model is set"
    assert chosen("explore", Wishes()).reason == "the chat has no model"
    assert chosen("root", Wishes(default="off")).reason == "the default model cannot be used: it is disabled"
    titles = chosen("title_generation", Wishes(deployment="off", parent="chats"))
    assert titles.reason.endswith("it is disabled; no title is generated with another one")


def test_a_named_model_that_cannot_be_used_is_an_error():
    with pytest.raises(Invalid) as caught:
        chosen("general", replace(ALL, explicit="off"))
    assert caught.value.validations == (("model_config_id", "it is disabled"),)
