--[[ Takes jobs out of a tenant's outbox for the queue: as many as may begin at once, so that none is sent in vain.
  ARGV     … running jobs allowed (-1: any), most in the queue where any number may run, look again after (ms)
  Writes   jobs:ready and its like, jobs:sent
  Returns  { id, dispatch, cost (ms), priority, trace or '' } for each
  A script because each may be sent by one process only; one that dies meanwhile leaves what it took in jobs:sent, where it
  is found and sent again. ]]
local allowed, window, again = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local most = allowed >= 0 and allowed or window
local room = most - running('') - redis.call('ZCARD', jobsKey('sent'))
-- Those whose parts are being done hold files and places in another queue: they too are bounded.
if redis.call('ZCARD', jobsKey('handed')) >= 4 * math.max(most, 4) then room = 0 end
local claimed = {}
for _, name in ipairs({ 'ready:again', 'ready', 'ready:low' }) do
  if room > #claimed then
    for _, id in ipairs(redis.call('ZRANGEBYSCORE', jobsKey(name), '-inf', now, 'LIMIT', 0, room - #claimed)) do
      redis.call('ZREM', jobsKey(name), id)
      redis.call('ZADD', jobsKey('sent'), now + again, id)
      local fields = redis.call('HMGET', jobKey(id), 'dispatch', 'cost', 'priority', 'trace')
      claimed[#claimed + 1] = { id, fields[1], fields[2], fields[3], fields[4] or '' }
    end
  end
end
return claimed
