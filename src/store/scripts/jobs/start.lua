--[[ Makes a worker the holder of a job.
  ARGV     … id, dispatch, token, running jobs allowed (-1: any), lease (ms), starts allowed
  Writes   job:<id>, jobs:slots, jobs:pace, jobs:alarms; takes it out of the outbox
  Returns  { 'started', record } { 'busy' } { 'not_due' } or { 'poisoned' }
  A job that is being processed passes to whoever the queue gives it to next: its former worker has lost its lock there, and
  with its token everything it could write. A script because two workers may both see the last slot free. ]]
local id, dispatch, token = ARGV[4], ARGV[5], ARGV[6]
local allowed, lease, mostStarts = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
local job = read(id, 'dispatch', 'token', 'handed', 'starts', 'tries', 'attempt', 'expiresAt', 'deadline', 'mustEnd', 'longest')
if not job or (job.status ~= 'queued' and job.status ~= 'processing') then return { 'not_due' } end
if job.dispatch ~= dispatch then return { 'not_due' } end

if job.status == 'processing' then
  if job.handed == '1' then return { 'not_due' } end
  if job.token == token then return { 'started', recordOf(id) } end
end
local began = job.mustEnd and job.mustEnd ~= ''
if job.status == 'queued' and not began then
  local last = earliest(job.expiresAt, job.deadline)
  if now >= tonumber(last) then
    finish(job, 'expired', '')
    return { 'not_due' }
  end
end
if number(job.starts) >= mostStarts then
  finish(job, 'failed', POISON)
  return { 'poisoned' }
end
if allowed >= 0 and running(id) >= allowed then return { 'busy' } end

local fields = { 'token', token, 'starts', number(job.starts) + 1 }
if job.status == 'processing' then
  redis.call('HSET', jobKey(id), 'updatedAt', now, unpack(fields))
else
  local mustEnd = began and job.mustEnd or earliest(whole(now + number(job.longest)), job.deadline)
  leaveAll(id)
  redis.call('HSET', jobKey(id), 'attempt', number(job.attempt) + 1, 'tries', number(job.tries) + 1)
  if not began then append(fields, 'startedAt', now, 'mustEnd', mustEnd) end
  move(job, 'processing', fields)
  alarm(id, mustEnd)
  redis.call('LPUSH', jobsKey('pace'), now)
  redis.call('LTRIM', jobsKey('pace'), 0, PACE_STARTS - 1)
end
redis.call('ZADD', jobsKey('slots'), now + lease, id)
return { 'started', recordOf(id) }
