--[[ Where a waiting job stands among its tenant's own, and how fast these have been begun lately.
  ARGV     … id
  Returns  { place from 1, jobs begun lately, in how many ms } or false where it does not wait
  Other tenants are in neither number: the fair order gives each its own pace. ]]
local id = ARGV[4]
local before, place = 0, false
for _, name in ipairs({ 'sent', 'ready:again', 'ready', 'ready:low' }) do
  local rank = redis.call('ZRANK', jobsKey(name), id)
  if rank then
    place = before + rank
    break
  end
  before = before + redis.call('ZCARD', jobsKey(name))
end
if not place then return false end
local oldest = redis.call('LINDEX', jobsKey('pace'), -1)
return { place + 1, redis.call('LLEN', jobsKey('pace')), oldest and now - tonumber(oldest) or 0 }
