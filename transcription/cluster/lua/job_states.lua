#!lua flags=allow-oom
-- What has become of finals. A dead worker's claim is taken away, so that the job is nobody's until another claims it.
-- KEYS: finals, recorded, (result, claim)...
--   finals, recorded: the lists of waiting finals, and of those of recordings; result, claim: of each job
-- ARGV: worker_prefix, (job_id)...
--   worker_prefix: what the keys of heartbeats begin with; the rest is what lies under `claim`
-- Returns of each job its result, or 'waiting' (in the queue, or in a live worker's hands), 'lost' or 'died'.
local finals, recorded = unpack(KEYS)
local worker_prefix = ARGV[1]

local waiting = nil
local function waits(job_id)
  if not waiting then
    waiting = {}
    for _, list in ipairs({finals, recorded}) do
      for _, message in ipairs(redis.call('LRANGE', list, 0, -1)) do
        -- a task's id is its job's
        waiting[string.match(message, '"correlation_id":%s*"([^"]*)"') or ''] = true
      end
    end
  end
  return waiting[job_id]
end

local states = {}
for i = 2, #ARGV do
  local result_key, claim_key, state = KEYS[2 * i - 1], KEYS[2 * i], 'waiting'
  local result, claim = redis.call('GET', result_key), redis.call('GET', claim_key)
  if result then state = result
  elseif not claim then
    if not waits(ARGV[i]) then state = 'lost' end
  elseif redis.call('EXISTS', worker_prefix .. claim) == 0 then
    redis.call('DEL', claim_key)
    state = 'died'
  end
  states[#states + 1] = state
end
return states
