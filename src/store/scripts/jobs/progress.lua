--[[ Notes how far a job has come, and tells its followers a few times a second at most.
  ARGV     … id, token, stage, done, total, shortest time between two events (ms), a part that is done or ''
  Writes   job:<id>, its events, job:<id>:parts
  Returns  1 noted, 0 the hold is lost
  A script because what a former holder reports late must not be noted. The last step of a stage is always told. ]]
local id, stage, done, total, gap = ARGV[4], ARGV[6], tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
local job = read(id, 'token', 'progress', 'progressAt')
if not isHeld(job, ARGV[5]) then return 0 end
-- Parts are done by many at once, and some twice: how many are done is known here only.
if ARGV[10] ~= '' then
  local parts = jobKey(id) .. ':parts'
  redis.call('SADD', parts, ARGV[10])
  redis.call('PEXPIRE', parts, EVENTS_KEPT_MS)
  done = redis.call('SCARD', parts)
end
local progress = string.format('{"stage":"%s","done":%d,"total":%d}', stage, done, total)
if job.progress == progress then return 1 end
local wasSameStage = string.find(job.progress or '', '"stage":"' .. stage .. '"', 1, true)
redis.call('HSET', jobKey(id), 'progress', progress, 'updatedAt', now)
if not wasSameStage or done == total or now - number(job.progressAt) >= gap then
  redis.call('HSET', jobKey(id), 'progressAt', now)
  tell(id, 'job.progress', progress)
end
return 1
