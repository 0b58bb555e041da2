--[[ Gives the running slot of a prepared job back, whose parts others do now. The hold's token stays good.
  ARGV     … id, token
  Writes   job:<id>, jobs:slots, jobs:handed
  Returns  1 done now or before, 0 the hold is lost
  A script because a slot must not be given back for a job that has another holder by now. ]]
local job = read(ARGV[4], 'token', 'handed')
if not isHeld(job, ARGV[5]) then return 0 end
if job.handed ~= '1' then
  redis.call('HSET', jobKey(job.id), 'handed', 1)
  redis.call('ZREM', jobsKey('slots'), job.id)
  redis.call('ZADD', jobsKey('handed'), now + GRACE_MS, job.id)
end
return 1
