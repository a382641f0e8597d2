"""The data plane of the gateway's own tests."""

from tests.gateway.conftest import opened

__all__ = ["opened"]
