--[[ What the scripts about batches share; put in front of each.
  KEYS[1]  root of everything of one tenant, `parley:{t:<tenant>}`; the scripts name the other keys themselves:
             :batch:<id>:record   HASH  head (JSON that never changes), status, cancel, token, and how far it has come;
                                        made: jobs of it, counted by the scripts about jobs
             :batch:<id>:refused  HASH  line → error (JSON): lines that no job could be made of
             :batch:<id>:names    HASH  hash of a name → line, while lines are looked at
             :batch:<id>:sheets   LIST  results that lie in storage, `<name> <bytes of output> <bytes of errors>`, in order
             :batch:<id>          HASH  jobs of the batch that have ended, by status: written by the scripts about jobs
             :batches             ZSET  ids, score 0: read in the order of the ids, which is that of time
             :batches:open        ZSET  id → when somebody should look at it again (epoch ms)
             :idem:<key>          STRING  fingerprint, id
  ARGV[1]  now (epoch ms), empty for Redis's own time: no node's clock decides anything
  Nothing is nil inside a reply, since that would cut it short: what is absent is false. ]]
local BATCHES = KEYS[1] .. ':batches'
local OPEN = BATCHES .. ':open'

local function recordKey(id) return KEYS[1] .. ':batch:' .. id .. ':record' end

local function readTime()
  if ARGV[1] ~= '' then return tonumber(ARGV[1]) end
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
local now = readTime()

local function whole(n) return string.format('%.0f', n) end

-- The record, and behind it how its jobs have ended; false where there is none.
local function recordOf(id)
  local flat = redis.call('HGETALL', recordKey(id))
  if #flat == 0 then return false end
  for _, each in ipairs(redis.call('HGETALL', KEYS[1] .. ':batch:' .. id)) do flat[#flat + 1] = each end
  flat[#flat + 1], flat[#flat + 2] = 'refused', redis.call('HLEN', KEYS[1] .. ':batch:' .. id .. ':refused')
  return flat
end
