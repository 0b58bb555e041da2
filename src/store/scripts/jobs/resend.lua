--[[ Puts a job back into the outbox that the queue has lost.
  ARGV     … id, dispatch
  Writes   what `requeue` does
  Returns  1 put back, 0 it has moved on meanwhile
  A script because it may begin or end between being missed and being sent again. ]]
local job = read(ARGV[4], 'dispatch', 'handed')
if not job or job.dispatch ~= ARGV[5] then return 0 end
if job.status == 'processing' and job.handed == '1' then
  requeue(job, now, { 'handed', 0, 'progress', AT_REST })
  return 1
end
if job.status ~= 'queued' or not redis.call('ZSCORE', jobsKey('sent'), job.id) then return 0 end
-- It has never ceased to wait: nothing is told to anybody.
redis.call('ZREM', jobsKey('sent'), job.id)
redis.call('HINCRBY', jobKey(job.id), 'dispatch', 1)
again(job.id, now)
return 1
