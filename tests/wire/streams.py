"""Streams as providers send them, with made-up ids and texts, and what a reader must learn from each."""

from tests.wire.streams_chat import CHAT
from tests.wire.streams_messages import MESSAGES
from tests.wire.streams_responses import RESPONSES

ALL = (*MESSAGES, *CHAT, *RESPONSES)
