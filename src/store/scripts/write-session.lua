--[[ Writes fields of a session's record, but only for the node that owns it.
  KEYS[1]  the session's record    HASH
  ARGV     owner, time to live (ms), field, value, field, value, …
  Returns  1 written, 0 the session belongs to another node by now, or has ended
  A script because a node that was paused must not overwrite what its successor wrote. ]]
local record = redis.call('HMGET', KEYS[1], 'owner', 'phase')
if record[1] and (record[1] ~= ARGV[1] or record[2] == 'ended') then return 0 end
redis.call('HSET', KEYS[1], 'owner', ARGV[1], unpack(ARGV, 3))
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
