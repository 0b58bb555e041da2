--[[ Takes or renews the lease of the node that watches the spend objective, and reads where it stands.
  KEYS[1]  the lease       STRING with expiry  node id
  KEYS[2]  where it stands STRING
  ARGV     node id, lease (ms)
  Returns  1 leader or 0 not, now by the clock of Redis (epoch ms), where it stands or empty
  A script because every node asks at once, and a lease must not be renewed by one that has lost it. ]]
local holder = redis.call('GET', KEYS[1])
local leads = 0
if not holder or holder == ARGV[1] then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  leads = 1
end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
return { leads, now, redis.call('GET', KEYS[2]) or '' }
