--[[ Forgets a job: record, events, index entries.
  ARGV     … id
  Returns  1 it was there, 0 it was not
  A script so that no index names what is gone. Who holds it learns from its next beat, who follows it at once. ]]
local id = ARGV[4]
local job = read(id, 'batch')
if not job then return 0 end
leaveAll(id)
redis.call('ZREM', jobsKey('in:' .. job.status), id)
redis.call('ZREM', JOBS, id)
if job.batch and job.batch ~= '' then redis.call('ZREM', KEYS[1] .. ':batch:' .. job.batch .. ':jobs', id) end
for _, what in ipairs({ 'work:', 'input:', 'output:', 'record:' }) do redis.call('ZREM', jobsKey('waste'), what .. id) end
redis.call('DEL', jobKey(id), jobKey(id) .. ':events', jobKey(id) .. ':parts')
redis.call('PUBLISH', jobKey(id) .. ':told', 0)
if job.status == 'processing' then redis.call('PUBLISH', 'parley:jobs:cancel', id) end
return 1
