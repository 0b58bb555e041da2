--[[ Counts a failed delivery to an endpoint, and disables it when nothing but failures has come for too long.
  KEYS[1]  the endpoint's health   HASH  failures, failingSince (epoch ms), disabled (reason)
  ARGV     now (epoch ms), longest failing (ms), reason to disable it at once or empty, time to live (ms)
  Returns  1 this call disabled it, 0 not
  A script because many deliveries may fail at once, and the end of an endpoint is told once. ]]
redis.call('HINCRBY', KEYS[1], 'failures', 1)
redis.call('HSETNX', KEYS[1], 'failingSince', ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
local reason = ARGV[3]
if reason == '' then
  local since = tonumber(redis.call('HGET', KEYS[1], 'failingSince'))
  if tonumber(ARGV[1]) - since < tonumber(ARGV[2]) then return 0 end
  reason = 'failing'
end
return redis.call('HSETNX', KEYS[1], 'disabled', reason)
