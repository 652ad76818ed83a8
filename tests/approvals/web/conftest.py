"""The cast, signed in; ports that do nothing."""

from collections.abc import Callable, Iterator

import pytest
from django.test import Client
from pytest_django import Settings

from approvals.models import User
from tests.support import rings
from tests.support.builders import Cast, a_cast

type SignIn = Callable[[User], Client]


@pytest.fixture(autouse=True)
def recording_ports(settings: Settings) -> Iterator[None]:
    settings.APPROVALS_PORTS = rings.PORTS
    rings.forget()
    yield
    rings.forget()


@pytest.fixture
def cast(db: None) -> Cast:
    return a_cast()


@pytest.fixture
def signed_in() -> SignIn:
    def sign_in(user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return sign_in
