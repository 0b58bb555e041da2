--[[ What the scripts about jobs share; put in front of each.
  KEYS[1]  root of everything of one tenant, `parley:{t:<tenant>}`; the scripts name the other keys themselves:
             :job:<id>          HASH    the record
             :job:<id>:events   LIST    JSON, 1,000 at most, with expiry; channel :job:<id>:told carries their numbers
             :job:<id>:parts    SET     parts of it that are done, with expiry
             :jobs              ZSET    ids, which grow with time, score 0
             :jobs:in:<status>  ZSET    the same by status; a batch's own in :batch:<id>:jobs
             :jobs:ready        ZSET    the outbox: id → epoch ms from which on it may be sent to the queue; :ready:again, of
                                        those that had their turn before, comes first and :ready:low last
             :jobs:sent         ZSET    in the queue and not begun: id → epoch ms at which to look whether the queue knows it
             :jobs:slots        ZSET    running: id → lease end (epoch ms)
             :jobs:handed       ZSET    its parts are being done: id → epoch ms at which to look
             :jobs:alarms       ZSET    id → epoch ms of its next change by time alone: begin to wait, expire, deadline
             :jobs:waste        ZSET    `work:`, `input:`, `output:` or `record:` and id → epoch ms from which on it is to be deleted
             :jobs:news         ZSET    webhook message as JSON → epoch ms from which on it is to be sent
             :jobs:pace         LIST    epoch ms of the latest starts
             :jobs:once:<id>    STRING  with expiry: a request that has been done
             :idem:<key>        STRING  with expiry: fingerprint and job id
             :batch:<id>        HASH    jobs of a batch that have ended, by status
  ARGV[1]  now (epoch ms), empty for Redis's own time: no node's clock decides anything
  ARGV[2]  how long events are kept, ms
  ARGV[3]  how long a record outlives its job's end, ms
  Every change of a job passes `move`: it checks nothing, so each script looks at the status first. Nothing is nil inside a
  reply, since that would cut it short: what is absent is false. ]]
local MOST_EVENTS = 1000
-- How long a request id is remembered: far longer than a client sends a command again, ms.
local ONCE_MS = 60000
-- How long what nobody could end in good order is given before it is ended for it, ms.
local GRACE_MS = 30000
-- A result that is to be kept no time stays so long, so that it can be fetched at all, ms.
local LEAST_OUTPUT_MS = 60000
-- Starts that a tenant's pace is taken from.
local PACE_STARTS = 20

local function jobKey(id) return KEYS[1] .. ':job:' .. id end
local function jobsKey(what) return KEYS[1] .. ':jobs:' .. what end
local JOBS = KEYS[1] .. ':jobs'

local function readTime()
  if ARGV[1] ~= '' then return tonumber(ARGV[1]) end
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
local now = readTime()
local EVENTS_KEPT_MS, RECORDS_KEPT_MS = tonumber(ARGV[2]), tonumber(ARGV[3])

local function whole(n) return string.format('%.0f', n) end

-- False where there is no such job.
local function read(id, ...)
  local names, values = { ... }, redis.call('HMGET', jobKey(id), 'status', ...)
  if not values[1] then return false end
  local job = { id = id, status = values[1] }
  for i, name in ipairs(names) do job[name] = values[i + 1] end
  return job
end

local function append(list, ...)
  for _, each in ipairs({ ... }) do list[#list + 1] = each end
end

local function number(text) return tonumber(text or '') or 0 end

local function isEnded(status)
  return status == 'succeeded' or status == 'failed' or status == 'canceled' or status == 'expired'
end

local function isHeld(job, token) return job and job.status == 'processing' and job.token == token end

-- True once for each request id: a command whose reply was lost is sent again by the client.
local function isNew(request) return redis.call('SET', jobsKey('once:' .. request), 1, 'NX', 'PX', ONCE_MS) ~= false end

-- Adds an event and tells the followers its number.
local function tell(id, event, data)
  local events = jobKey(id) .. ':events'
  local n = redis.call('HINCRBY', jobKey(id), 'events', 1)
  local line = string.format('{"id":%d,"at":%s,"event":"%s","data":%s}', n, whole(now), event, data)
  redis.call('RPUSH', events, line)
  redis.call('LTRIM', events, -MOST_EVENTS, -1)
  redis.call('PEXPIRE', events, EVENTS_KEPT_MS)
  redis.call('PUBLISH', jobKey(id) .. ':told', n)
end

-- A message for webhooks, once for each change of status: its id is the job's own and the change's number. It holds all that is
-- told, because the job may be removed before anybody has been told.
local function announce(id, name, seq)
  local known = redis.call('HMGET', jobKey(id), 'webhook', 'metadata')
  local webhook = known[1] and known[1] ~= '' and known[1] or 'null'
  local message = string.format(
    '{"id":"msg_%s_%d","type":"job.%s","at":%s,"job":"%s","seq":%d,"webhook":%s,"metadata":%s}',
    string.sub(id, 5), seq, name, whole(now), id, seq, webhook, known[2] or '{}')
  redis.call('ZADD', jobsKey('news'), now, message)
end

local ANNOUNCED = { queued = 'queued', processing = 'started', succeeded = 'succeeded', failed = 'failed', canceled = 'canceled', expired = 'expired' }

-- What lies in a queue, holds a slot or waits for an alarm is where its status says, and nowhere else.
local function leaveAll(id)
  redis.call('ZREM', jobsKey('ready'), id)
  redis.call('ZREM', jobsKey('ready:low'), id)
  redis.call('ZREM', jobsKey('ready:again'), id)
  redis.call('ZREM', jobsKey('sent'), id)
  redis.call('ZREM', jobsKey('slots'), id)
  redis.call('ZREM', jobsKey('handed'), id)
  redis.call('ZREM', jobsKey('alarms'), id)
end

local function alarm(id, at) redis.call('ZADD', jobsKey('alarms'), at, id) end

-- The earlier of two instants as text; empty stands for never.
local function earliest(a, b)
  if not a or a == '' then return b end
  if not b or b == '' then return a end
  return tonumber(a) <= tonumber(b) and a or b
end

local function failure(code, message, retryable)
  return string.format('{"code":"%s","message":"%s","retryable":%s}', code, message, retryable and 'true' or 'false')
end
local TOO_LATE = failure('deadline_passed', 'the job had not ended by its deadline', true)
local POISON = failure('internal', 'the job has brought its worker down each time it was begun', false)
local AT_REST = '{"stage":"queued","done":0,"total":0}'

-- How many jobs of the tenant hold a running slot, beside this one.
local function running(id)
  local n = redis.call('ZCOUNT', jobsKey('slots'), '(' .. whole(now), '+inf')
  local own = redis.call('ZSCORE', jobsKey('slots'), id)
  return n - (own and tonumber(own) > now and 1 or 0)
end

-- Writes a change of status with all that follows from it: indexes, event, webhook message. `fields` is a flat list.
local function move(job, status, fields)
  local id = job.id
  redis.call('ZREM', jobsKey('in:' .. job.status), id)
  redis.call('ZADD', jobsKey('in:' .. status), 0, id)
  redis.call('HSET', jobKey(id), 'status', status, 'updatedAt', now, unpack(fields))
  local seq = redis.call('HINCRBY', jobKey(id), 'seq', 1)
  job.status = status
  local rest = redis.call('HMGET', jobKey(id), 'attempt', 'cancel', 'error')
  local error = rest[3] and rest[3] ~= '' and rest[3] or 'null'
  local data = string.format(
    '{"status":"%s","attempt":%s,"cancel_requested":%s,"error":%s,"seq":%d}',
    status, rest[1] or '0', rest[2] == '1' and 'true' or 'false', error, seq)
  tell(id, isEnded(status) and 'job.ended' or 'job.status', data)
  if ANNOUNCED[status] then announce(id, ANNOUNCED[status], seq) end
end

-- Lets it wait for its turn at `at`, in the order of coming; those of low priority after all others of the tenant.
local function line(id, priority, at)
  redis.call('ZADD', jobsKey(priority == 'low' and 'ready:low' or 'ready'), at, id)
  redis.call('PUBLISH', 'parley:jobs:ready', string.match(KEYS[1], '{t:(.*)}'))
end

-- The same for one that had its turn before: a backlog of its own tenant must not keep it until its time is over.
local function again(id, at)
  redis.call('ZADD', jobsKey('ready:again'), at, id)
  redis.call('PUBLISH', 'parley:jobs:ready', string.match(KEYS[1], '{t:(.*)}'))
end

local function countInBatch(batch, status, by)
  if batch and batch ~= '' then redis.call('HINCRBY', KEYS[1] .. ':batch:' .. batch, status, by) end
end

-- Tells whoever holds a job that it shall end: by the channel, by the next beat, and in the end by the alarm.
local function askToEnd(job, fields)
  redis.call('HSET', jobKey(job.id), 'cancel', 1, 'updatedAt', now, unpack(fields))
  local attempt = redis.call('HGET', jobKey(job.id), 'attempt')
  tell(job.id, 'job.status', string.format('{"status":"processing","attempt":%s,"cancel_requested":true,"error":null}', attempt))
  alarm(job.id, now + GRACE_MS)
  redis.call('PUBLISH', 'parley:jobs:cancel', job.id)
end

-- Ends a job. `by`: the token of the holder that ends it. `error`, `result`, `saved` and `usage` are JSON, or empty. What is to be deleted, and when, stands in `waste`.
local function finish(job, status, error, by, result, saved, usage)
  local id = job.id
  leaveAll(id)
  redis.call('DEL', jobKey(id) .. ':parts')
  move(job, status, {
    'endedAt', now, 'error', error, 'result', result or '', 'saved', saved or '', 'usage', usage or '',
    'progress', '{"stage":"done","done":0,"total":0}', 'endedBy', by or '', 'token', '' })
  local rest = redis.call('HMGET', jobKey(id), 'keepOutput', 'batch')
  local waste, keep = jobsKey('waste'), math.max(number(rest[1]), LEAST_OUTPUT_MS)
  -- What may succeed when its owner asks again need not be prepared again.
  local again = status == 'failed' and string.find(error, '"retryable":true', 1, true)
  redis.call('ZADD', waste, again and now + keep or now, 'work:' .. id, now, 'input:' .. id)
  redis.call('ZADD', waste, now + keep, 'output:' .. id, now + math.max(RECORDS_KEPT_MS, keep), 'record:' .. id)
  countInBatch(rest[2], status, 1)
end

-- Takes it out of all hands and lets it wait again, at `at`. A new number of its dispatch tells the queue that it is another run.
local function requeue(job, at, fields)
  local id = job.id
  leaveAll(id)
  local rest = redis.call('HMGET', jobKey(id), 'priority', 'expiresAt', 'deadline', 'mustEnd')
  append(fields, 'token', '', 'queuedAt', now)
  redis.call('HINCRBY', jobKey(id), 'dispatch', 1)
  move(job, 'queued', fields)
  -- Once begun it cannot expire, only be late.
  local began = rest[4] and rest[4] ~= ''
  alarm(id, began and rest[4] or earliest(rest[2], rest[3]))
  if began then again(id, at) else line(id, rest[1], at) end
end

-- A record as a flat list of names and values; false where there is none.
local function recordOf(id)
  local flat = redis.call('HGETALL', jobKey(id))
  return #flat > 0 and flat
end
