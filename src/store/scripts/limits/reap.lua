--[[ Ends leases that nobody renews any more, oldest first.
  ARGV     now, how many at most
  Returns  how many ended
  A script because every process may sweep at once, and a session may renew at the same moment. ]]
local expired = redis.call('ZRANGEBYSCORE', LEASES, '-inf', now, 'LIMIT', 0, ARGV[2])
for _, session in ipairs(expired) do endLease(session) end
return #expired
