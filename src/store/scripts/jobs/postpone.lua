--[[ Lets a job wait again after a failure that may pass, or fails it where it has been tried often enough.
  ARGV     … id, token, error as JSON, wait (ms), attempts allowed
  Writes   job:<id>, the outbox; or everything `finish` does
  Returns  the status it has now, or 'lost' when the hold is
  A script because a job that has been taken over or canceled must not wait again. ]]
local id, token, error, wait, allowed = ARGV[4], ARGV[5], ARGV[6], tonumber(ARGV[7]), tonumber(ARGV[8])
local job = read(id, 'token', 'tries', 'cancel', 'late', 'postponedBy', 'endedBy')
if job and (job.postponedBy == token or job.endedBy == token) then return job.status end
if not isHeld(job, token) then return 'lost' end
if job.cancel == '1' then
  finish(job, 'canceled', job.late == '1' and TOO_LATE or '', token)
elseif number(job.tries) >= allowed then
  finish(job, 'failed', error, token)
else
  requeue(job, now + wait, { 'error', error, 'postponedBy', token, 'handed', 0, 'progress', AT_REST })
end
return job.status
