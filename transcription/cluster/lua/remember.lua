#!lua flags=allow-oom
-- Note how far a session is settled, for whoever goes on with it; only its owner's word counts. It takes little, and a
-- session that cannot be resumed costs more when Redis is full.
-- KEYS: state, lease
-- ARGV: owner, key, settled, ttl
--   owner: the session's uid; key: its API key, or ''; settled: `core/resuming.py`; ttl: how long it is kept (s)
local state, lease = unpack(KEYS)
local owner, key, settled, ttl = unpack(ARGV)

if (redis.call('HGET', state, 'owner') or redis.call('GET', lease)) == owner then
  redis.call('HSET', state, 'owner', owner, 'key', key, 'settled', settled)
  redis.call('EXPIRE', state, ttl)
end
