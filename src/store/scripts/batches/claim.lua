--[[ Takes batches that somebody should look at.
  ARGV     (2) token, lease (ms), most
  Returns  records
  A script because two processes would else feed one batch at once. A process that dies gives its batches back by silence. ]]
local token, lease, most = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local found = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', OPEN, '-inf', whole(now), 'LIMIT', 0, most)) do
  if redis.call('EXISTS', recordKey(id)) == 1 then
    redis.call('HSET', recordKey(id), 'token', token)
    redis.call('ZADD', OPEN, whole(now + lease), id)
    found[#found + 1] = recordOf(id)
  else
    redis.call('ZREM', OPEN, id)
  end
end
return found
