--[[ Where a waiting job stands among its tenant's own, and how fast these have been begun lately.
  ARGV     … id
  Returns  { place from 1, jobs begun lately, in how many ms } or false where it does not wait
  Other tenants are in neither number: the fair order gives each its own pace. ]]
local id = ARGV[4]
local sent = redis.call('ZRANK', jobsKey('sent'), id)
local place = sent
if not place then
  local ready = redis.call('ZRANK', jobsKey('ready'), id)
  if ready then place = redis.call('ZCARD', jobsKey('sent')) + ready end
end
if not place then
  local low = redis.call('ZRANK', jobsKey('ready:low'), id)
  if not low then return false end
  place = redis.call('ZCARD', jobsKey('sent')) + redis.call('ZCARD', jobsKey('ready')) + low
end
local oldest = redis.call('LINDEX', jobsKey('pace'), -1)
return { place + 1, redis.call('LLEN', jobsKey('pace')), oldest and now - tonumber(oldest) or 0 }
