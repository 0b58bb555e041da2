--[[ Tells a part of the result to whoever follows the job.
  ARGV     … id, token, request id, the part as JSON
  Writes   the job's events
  Returns  1 told now or before, 0 the hold is lost
  A script because it is told once, however often the command is sent. ]]
local job = read(ARGV[4], 'token')
if not isHeld(job, ARGV[5]) then return 0 end
if isNew(ARGV[6]) then tell(job.id, 'job.segment', ARGV[7]) end
return 1
