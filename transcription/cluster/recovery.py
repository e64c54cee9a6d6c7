"""What became of finals that are not answered: in a worker's hands, waiting, answered unheard, or nobody's any more.

A worker claims a final when it takes it; a claim whose worker has no heartbeat is a dead man's. A final that nobody
claims and that is not in the queue was lost on its way: between the broker's list and a worker that died, or with a
broker that forgot. The sessions of a process ask together, one script a round. Celery's own redelivery (after its
visibility timeout) is slower and not crash-safe (docs/decisions.md).
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

import redis
import redis.asyncio

from transcription.cluster import scripts
from transcription.core.contract import jobs
from transcription.core.contract.jobs import Result
from transcription.core.contract.keyspace import FINALS_KEY, RECORDED_KEY, claim_key, result_key, worker_key

logger = logging.getLogger(__name__)

GATHER_S = 0.1
"""How long a question waits for others."""


@dataclass(slots=True)
class JobStates:
    """What there is to tell of a session's finals."""

    results: list[Result] = field(default_factory=list)
    """Answered, but the answer has not come through."""
    lost: list[str] = field(default_factory=list)
    died: list[str] = field(default_factory=list)
    """Taken by a worker that is gone."""


Question = tuple[tuple[str, ...], Callable[[JobStates], None]]
"""Job ids, and whom to tell."""


class Recovery:
    """Asks Redis for all sessions of this process."""

    def __init__(self, client: redis.asyncio.Redis) -> None:
        self._job_states = client.register_script(scripts.JOB_STATES)
        self._asked: list[Question] = []
        self._task: asyncio.Task[None] | None = None

    def ask(self, job_ids: tuple[str, ...], tell: Callable[[JobStates], None]) -> None:
        """Find out; `tell` is called if there is anything to tell. A question that fails is not asked again."""
        self._asked.append((job_ids, tell))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._ask())

    async def _ask(self) -> None:
        while self._asked:
            await asyncio.sleep(GATHER_S)
            asked, self._asked = self._asked, []
            try:
                await self._answer(asked)
            except redis.RedisError as error:
                logger.warning("Finals cannot be asked after: %s", type(error).__name__)

    async def _answer(self, asked: list[Question]) -> None:
        job_ids = [job_id for ids, _ in asked for job_id in ids]
        keys = [FINALS_KEY, RECORDED_KEY, *(key(job_id) for job_id in job_ids for key in (result_key, claim_key))]
        answers = await self._job_states(keys, [worker_key(""), *job_ids])
        found = dict(zip(job_ids, answers, strict=True))
        for ids, tell in asked:
            if states := _sort({job_id: found[job_id] for job_id in ids}):
                tell(states)


def _sort(found: dict[str, bytes]) -> JobStates | None:
    states = JobStates()
    for job_id, answer in found.items():
        match answer:
            case b"waiting":
                continue
            case b"lost":
                states.lost.append(job_id)
            case b"died":
                states.died.append(job_id)
            case _:
                states.results.append(jobs.decode_result(answer))
    return states if states.results or states.lost or states.died else None
