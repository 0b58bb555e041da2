--[[ Begins a failed job anew, under its own id, because its owner asks for it.
  ARGV     … id, request id
  Writes   job:<id>, the outbox, the batch's count; takes it off what is to be deleted
  Returns  { 'none' }, { 'wrong_state' } or { 'retried', record }
  A script because the sweep that deletes its input may run at this moment. ]]
local id = ARGV[4]
local job = read(id, 'batch', 'life', 'patience')
if not job then return { 'none' } end
if job.status ~= 'failed' or not isNew(ARGV[5]) then
  return { redis.call('EXISTS', jobsKey('once:' .. ARGV[5])) == 1 and 'retried' or 'wrong_state', recordOf(id) }
end
for _, what in ipairs({ 'work:', 'input:', 'output:', 'record:' }) do redis.call('ZREM', jobsKey('waste'), what .. id) end
countInBatch(job.batch, 'failed', -1)
-- It has as long as it had when it was made.
redis.call('HSET', jobKey(id), 'tries', 0, 'starts', 0, 'late', 0, 'mustEnd', '', 'expiresAt', now + number(job.life),
  'deadline', job.patience ~= '' and whole(now + number(job.patience)) or '')
requeue(job, now, {
  'cancel', 0, 'handed', 0, 'error', '', 'result', '', 'saved', '', 'usage', '', 'endedAt', '', 'startedAt', '', 'progress', AT_REST })
return { 'retried', recordOf(id) }
