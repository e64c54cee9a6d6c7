"""Users of the admin, and the Redis that its pages ask."""

from collections.abc import Callable

import pytest
import redis
from django.conf import settings as django_settings
from django.contrib.auth.models import Group, User
from django.test import Client
from pytest_django.fixtures import Settings

from transcription.cluster.capacity import probe_client


def use_redis(settings: Settings, url: str) -> None:
    settings.STT = django_settings.STT.model_copy(update={"redis_url": url})
    probe_client.cache_clear()


@pytest.fixture
def redis_there(settings: Settings, valkey: redis.Redis, valkey_url: str) -> None:
    """Pages ask a real server who holds a session."""
    use_redis(settings, valkey_url)


@pytest.fixture
def login() -> Callable[[str | None], Client]:
    """A client for a member of a group, or for a superuser."""

    def login(group: str | None) -> Client:
        user = User.objects.create_user(f"user {group}", is_staff=True, is_superuser=group is None)
        if group:
            user.groups.add(Group.objects.get(name=group))
        client = Client()
        client.force_login(user)
        return client

    return login
