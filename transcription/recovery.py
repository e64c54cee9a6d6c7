"""What became of finals that are not answered: in a worker's hands, waiting, answered unheard, or nobody's any more.

A worker claims a final when it takes it (`stt:claim:<job>`); a claim whose worker has no heartbeat is a dead man's. A
final that nobody claims and that is not in the queue was lost on its way: between the broker's list and a worker that
died, or with a broker that forgot. The sessions of a process ask together, one script a round. Celery's own redelivery
(after its visibility timeout) is slower and not crash-safe (docs/decisions.md).
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

import redis
import redis.asyncio

from transcription.core import jobs
from transcription.core.jobs import Result

logger = logging.getLogger(__name__)

GATHER_S = 0.1
"""How long a question waits for others."""

# a dead worker's claim is taken away, so that the job is nobody's until another claims it; a task's id is its job's
_FATES = """#!lua flags=allow-oom
local fates, waiting = {}, nil
local function waits(id)
  if not waiting then
    waiting = {}
    for _, message in ipairs(redis.call('LRANGE', ARGV[3], 0, -1)) do
      waiting[string.match(message, '"correlation_id":%s*"([^"]*)"') or ''] = true
    end
  end
  return waiting[id]
end
for i = 4, #ARGV do
  local id, fate = ARGV[i], 'waiting'
  local result, claim = redis.call('GET', ARGV[1] .. id), redis.call('GET', ARGV[2] .. id)
  if result then fate = result
  elseif not claim then
    if not waits(id) then fate = 'lost' end
  elseif redis.call('EXISTS', 'stt:worker:' .. claim) == 0 then
    redis.call('DEL', ARGV[2] .. id)
    fate = 'died'
  end
  fates[#fates + 1] = fate
end
return fates
"""


@dataclass(slots=True)
class Fates:
    """What there is to tell of a session's finals."""

    results: list[Result] = field(default_factory=list)
    """Answered, but the answer has not come through."""
    lost: list[str] = field(default_factory=list)
    died: list[str] = field(default_factory=list)
    """Taken by a worker that is gone."""


class Recovery:
    """Asks Redis for all sessions of this process."""

    def __init__(self, client: redis.asyncio.Redis) -> None:
        self._fates = client.register_script(_FATES)
        self._asked: list[tuple[tuple[str, ...], Callable[[Fates], None]]] = []
        self._task: asyncio.Task[None] | None = None

    def ask(self, job_ids: tuple[str, ...], tell: Callable[[Fates], None]) -> None:
        """Find out; `tell` is called if there is anything to tell. A question that fails is not asked again."""
        self._asked.append((job_ids, tell))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._ask())

    async def _ask(self) -> None:
        await asyncio.sleep(GATHER_S)
        asked, self._asked = self._asked, []
        job_ids = [job_id for ids, _ in asked for job_id in ids]
        try:
            answers = await self._fates(args=[jobs.result_key(""), jobs.claim_key(""), jobs.QUEUE, *job_ids])
        except redis.RedisError as error:
            logger.warning("Finals cannot be asked after: %s", type(error).__name__)
            return
        found = dict(zip(job_ids, answers, strict=True))
        for ids, tell in asked:
            if fates := _sort({job_id: found[job_id] for job_id in ids}):
                tell(fates)


def _sort(found: dict[str, bytes]) -> Fates | None:
    fates = Fates()
    for job_id, answer in found.items():
        match answer:
            case b"waiting":
                continue
            case b"lost":
                fates.lost.append(job_id)
            case b"died":
                fates.died.append(job_id)
            case _:
                fates.results.append(jobs.decode_result(answer))
    return fates if fates.results or fates.lost or fates.died else None
