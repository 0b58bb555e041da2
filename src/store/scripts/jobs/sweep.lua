--[[ Does what has become due in a tenant's jobs by time alone.
  ARGV     … most jobs at once
  Writes   what `move`, `requeue` and `finish` do
  Returns  { begun to wait, expired, told to stop, ended, taken from the dead, has more (0 or 1) }
  A script because any worker process may sweep. ]]
local most = tonumber(ARGV[4])
local queued, expired, told, ended, orphans = 0, 0, 0, 0, 0

local due = redis.call('ZRANGEBYSCORE', jobsKey('alarms'), '-inf', now, 'LIMIT', 0, most)
for _, id in ipairs(due) do
  local job = read(id, 'runAt', 'expiresAt', 'deadline', 'mustEnd', 'cancel', 'late', 'priority')
  if not job then
    redis.call('ZREM', jobsKey('alarms'), id)
  elseif job.status == 'processing' then
    if job.cancel == '1' then
      finish(job, 'canceled', job.late == '1' and TOO_LATE or '')
      ended = ended + 1
    else
      askToEnd(job, { 'late', 1 })
      told = told + 1
    end
  elseif job.status == 'queued' and job.mustEnd and job.mustEnd ~= '' then
    finish(job, 'canceled', TOO_LATE)
    ended = ended + 1
  elseif now >= tonumber(earliest(job.expiresAt, job.deadline)) then
    finish(job, 'expired', '')
    expired = expired + 1
  else
    move(job, 'queued', { 'queuedAt', now })
    alarm(id, earliest(job.expiresAt, job.deadline))
    line(id, job.priority, now)
    queued = queued + 1
  end
end

-- A holder that is gone, and whose job the queue has given to nobody else for long.
local lost = redis.call('ZRANGEBYSCORE', jobsKey('slots'), '-inf', now - GRACE_MS, 'LIMIT', 0, most)
for _, id in ipairs(lost) do
  redis.call('ZREM', jobsKey('slots'), id)
  local job = read(id, 'handed')
  if job and job.status == 'processing' and job.handed ~= '1' then
    requeue(job, now, { 'progress', AT_REST })
    orphans = orphans + 1
  end
end
return { queued, expired, told, ended, orphans, (#due == most or #lost == most) and 1 or 0 }
