--[[ Puts a job back that its worker cannot finish because it stops: it counts as not tried.
  ARGV     … id, token
  Writes   what `requeue` does
  Returns  1 put back, now or before; 0 the hold is lost
  A script because another worker may have taken it over. ]]
local job = read(ARGV[4], 'token', 'tries', 'starts', 'cancel', 'postponedBy')
if job and job.status == 'queued' and job.postponedBy == ARGV[5] then return 1 end
if not isHeld(job, ARGV[5]) then return 0 end
if job.cancel == '1' then
  finish(job, 'canceled', '', ARGV[5])
  return 1
end
requeue(job, now, {
  'tries', number(job.tries) - 1, 'starts', number(job.starts) - 1, 'postponedBy', ARGV[5], 'handed', 0, 'progress', AT_REST })
return 1
