--[[ Jobs that the queue should know: sent and not begun, or handed over and not ended, for a while.
  ARGV     … look again after (ms), most at once
  Writes   when to look at them again
  Returns  { 'sent' | 'handed', id, dispatch } for each ]]
local again, most = tonumber(ARGV[4]), tonumber(ARGV[5])
local found = {}
for _, where in ipairs({ 'sent', 'handed' }) do
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', jobsKey(where), '-inf', now, 'LIMIT', 0, most)) do
    redis.call('ZADD', jobsKey(where), now + again, id)
    found[#found + 1] = { where, id, redis.call('HGET', jobKey(id), 'dispatch') }
  end
end
return found
