--[[ Ends a job with what came of it.
  ARGV     … id, token, status, error, result, saved, usage (the last four as JSON or '')
  Writes   job:<id> and everything `finish` does: one webhook message, one event, the batch's count, what is to be deleted
  Returns  1 ended by this hold, now or before; 0 the hold is lost, or the job has ended meanwhile
  A script because of several workers that believe a job theirs one may end it. ]]
local id, token, status, error = ARGV[4], ARGV[5], ARGV[6], ARGV[7]
local job = read(id, 'token', 'endedBy', 'late')
if job and isEnded(job.status) and job.endedBy == token then return 1 end
if not isHeld(job, token) then return 0 end
if status == 'canceled' and job.late == '1' and error == '' then error = TOO_LATE end
finish(job, status, error, token, ARGV[8], ARGV[9], ARGV[10])
return 1
