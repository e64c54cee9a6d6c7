"""What an operator keeps from starting sessions for some minutes: an API key, or a session id."""

import redis
import redis.asyncio

from transcription.core.capacity.admission import Principal, Refusal, barred
from transcription.core.contract import keyspace


def bar_key(client: redis.Redis, key_id: str, minutes: int) -> None:
    """No session starts under the API key for so long; a bar that is there is replaced. Raises `redis.RedisError`."""
    client.set(keyspace.barred_key_key(key_id), 1, ex=60 * minutes)


def bar_session(client: redis.Redis, session_id: str, minutes: int) -> None:
    """No session of that name starts for so long, nor is resumed. Raises `redis.RedisError`."""
    client.set(keyspace.barred_session_key(session_id), 1, ex=60 * minutes)


def left_ms(client: redis.Redis, session_id: str, key_id: str | None) -> tuple[int, int]:
    """How long the session id, and the API key, are barred for still (ms; 0: not). Raises `redis.RedisError`."""
    asked = [keyspace.barred_session_key(session_id), keyspace.barred_key_key(key_id or "")]
    of_session, of_key = (max(client.pttl(key), 0) for key in asked)
    return of_session, of_key


def lift_key(client: redis.Redis, key_id: str) -> bool:
    """Let sessions start under the API key again; whether it was barred. Raises `redis.RedisError`."""
    return bool(client.delete(keyspace.barred_key_key(key_id)))


def lift_session(client: redis.Redis, session_id: str) -> bool:
    """Let sessions of that name start again; whether it was barred. Raises `redis.RedisError`."""
    return bool(client.delete(keyspace.barred_session_key(session_id)))


async def refusal(client: redis.asyncio.Redis, session_id: str, principal: Principal | None) -> Refusal | None:
    """Why a session may not start, when it may not. Raises `redis.RedisError`."""
    asked = {"this session_id": keyspace.barred_session_key(session_id)}
    if principal:
        asked["this API key"] = keyspace.barred_key_key(principal.key_id)
    async with client.pipeline(transaction=False) as pipe:
        for key in asked.values():
            pipe.pttl(key)
        lefts = await pipe.execute()
    left_ms, what = max(zip(lefts, asked, strict=True))
    return barred(what, left_ms) if left_ms > 0 else None
