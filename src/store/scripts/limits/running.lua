--[[ Notes what has begun under a session's lease, as it is to be booked if nothing more is heard of it.
  ARGV     now, session, record id, cost (nano-dollars), weighted tokens, the record as JSON
  Writes   lease:<session>
  Returns  1 noted; 0 the session has no lease any more
  A script because the lease may end at the same moment. A repetition that comes after the settlement does no harm: when
  the lease ends, what has been booked is not booked again. ]]
local k = key('lease', ARGV[2])
if redis.call('EXISTS', k) == 0 then return 0 end
redis.call('HSET', k, 'running:' .. ARGV[3], ARGV[4] .. ' ' .. ARGV[5] .. ' ' .. ARGV[6])
return 1
