--[[ Takes what is due from an index of a tenant, and lets nobody else have it for a while.
  ARGV     … index (waste, news), most, look again after (ms)
  Writes   when each is due again: who has dealt with one removes it
  Returns  members, the longest due first
  A script because two processes would else do the same work twice. ]]
local index, most, again = jobsKey(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local members = redis.call('ZRANGEBYSCORE', index, '-inf', now, 'LIMIT', 0, most)
for _, member in ipairs(members) do redis.call('ZADD', index, now + again, member) end
return members
