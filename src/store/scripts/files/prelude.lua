--[[ What the scripts about files share; put in front of each.
  KEYS[1]  root of everything of one tenant, `parley:{t:<tenant>}`; the scripts name the other keys themselves:
             :file:<id>         HASH  head (JSON that never changes), status, bytes, expiresAt; once it is ready
                                      purpose, sha256, mime, media (JSON), unusedUntil; of a resumable upload also length, offset, note
             :file:<id>:parts   LIST  pieces of an upload that lie in storage, `<bytes> <name>`, in order
             :file:<id>:claims  ZSET  job id → until when it needs the file (epoch ms)
             :files             ZSET  ids of all files, score 0: read in the order of the ids, which is that of time
             :files:ready[:<purpose>]   the same of those that can be read, and of those of one purpose
             :files:expiring    ZSET  id → when it may be removed (epoch ms)
             :files:held        HASH  bytes: what the files take in all, with what is promised to uploads
  ARGV[1]  now (epoch ms), empty for Redis's own time: no node's clock decides anything
  Nothing is nil inside a reply, since that would cut it short: what is absent is false. ]]
local FILES = KEYS[1] .. ':files'
local HELD = FILES .. ':held'
local EXPIRING = FILES .. ':expiring'

local function fileKey(id) return KEYS[1] .. ':file:' .. id end

local function readTime()
  if ARGV[1] ~= '' then return tonumber(ARGV[1]) end
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
local now = readTime()

local function whole(n) return string.format('%.0f', n) end

local function statusOf(id) return redis.call('HGET', fileKey(id), 'status') end

local function expireAt(id, at)
  redis.call('HSET', fileKey(id), 'expiresAt', whole(at))
  redis.call('ZADD', EXPIRING, whole(at), id)
end

-- Until when some job needs the file; 0 when none does.
local function neededUntil(id)
  local claims = fileKey(id) .. ':claims'
  redis.call('ZREMRANGEBYSCORE', claims, '-inf', whole(now))
  local last = redis.call('ZRANGE', claims, -1, -1, 'WITHSCORES')
  return last[2] and tonumber(last[2]) or 0
end

-- From now on nobody can read or use it; its bytes and then its record go away.
local function condemn(id)
  redis.call('ZREM', FILES .. ':ready', id)
  redis.call('ZREM', FILES .. ':ready:' .. (redis.call('HGET', fileKey(id), 'purpose') or ''), id)
  redis.call('HSET', fileKey(id), 'status', 'removing')
  expireAt(id, now)
end
