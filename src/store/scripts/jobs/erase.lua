--[[ Takes a result out of a record once it has been kept for as long as its owner asked.
  ARGV     … id
  Returns  1 there was one, 0 there was none or the job has begun anew
  A script because a job may be begun anew at this moment. ]]
local job = read(ARGV[4], 'result')
if not job or not isEnded(job.status) or not job.result or job.result == '' then return 0 end
redis.call('HSET', jobKey(job.id), 'result', '')
redis.call('DEL', jobKey(job.id) .. ':events')
return 1
