--[[ Renews a hold.
  ARGV     … id, token, lease (ms)
  Writes   jobs:slots, unless the slot has been given back
  Returns  { held, cancel requested }, each 0 or 1
  A script because a hold must not be lost between being looked at and being renewed. ]]
local job = read(ARGV[4], 'token', 'handed', 'cancel')
if not isHeld(job, ARGV[5]) then return { 0, 0 } end
if job.handed ~= '1' then redis.call('ZADD', jobsKey('slots'), now + tonumber(ARGV[6]), job.id) end
return { 1, job.cancel == '1' and 1 or 0 }
