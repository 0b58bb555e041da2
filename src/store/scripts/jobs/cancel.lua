--[[ Asks for the end of a job: one that waits has ended with the asking, one that is being processed is told to.
  ARGV     … id
  Writes   job:<id>, jobs:alarms; or everything `finish` does
  Returns  the record, or false where there is no such job
  A script because a worker may take the job at this moment. Its holder is told by the channel and by its next beat; where
  neither reaches anybody the alarm ends it. ]]
local job = read(ARGV[4], 'cancel')
if not job then return false end
if job.status == 'scheduled' or job.status == 'queued' then
  redis.call('HSET', jobKey(job.id), 'cancel', 1)
  finish(job, 'canceled', '')
elseif job.status == 'processing' and job.cancel ~= '1' then
  askToEnd(job, {})
end
return recordOf(job.id)
