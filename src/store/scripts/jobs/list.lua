--[[ Looks through a tenant's jobs, by their ids, which grow with time.
  ARGV     … newest first (1) or oldest first (0), begin after this id or '', most to return, most to look at,
           status or '', type or '', created after or '', created before or '', batch or '', metadata as JSON or ''
  Returns  { where to go on or false at the end, record, record, … } ]]
local down, cursor, most, looks = ARGV[4] == '1', ARGV[5], tonumber(ARGV[6]), tonumber(ARGV[7])
local status, kind, after, before, batch = ARGV[8], ARGV[9], tonumber(ARGV[10]), tonumber(ARGV[11]), ARGV[12]
local wanted = ARGV[13] ~= '' and cjson.decode(ARGV[13]) or nil

local index = JOBS
if status ~= '' then index = jobsKey('in:' .. status) end
if batch ~= '' then index = KEYS[1] .. ':batch:' .. batch .. ':jobs' end
local ids
if down then
  ids = redis.call('ZREVRANGEBYLEX', index, cursor == '' and '+' or '(' .. cursor, '-', 'LIMIT', 0, looks)
else
  ids = redis.call('ZRANGEBYLEX', index, cursor == '' and '-' or '(' .. cursor, '+', 'LIMIT', 0, looks)
end

local function fits(id)
  local found = redis.call('HMGET', jobKey(id), 'status', 'type', 'createdAt', 'metadata')
  if not found[1] then return false end
  if status ~= '' and found[1] ~= status then return false end
  if kind ~= '' and found[2] ~= kind then return false end
  local createdAt = tonumber(found[3])
  if after and createdAt <= after or before and createdAt >= before then return false end
  if wanted then
    local has = cjson.decode(found[4])
    for name, value in pairs(wanted) do
      if has[name] ~= value then return false end
    end
  end
  return true
end

local reply = { #ids == looks and ids[#ids] }
for _, id in ipairs(ids) do
  if fits(id) then
    reply[#reply + 1] = recordOf(id)
    if #reply > most then
      reply[1] = id
      break
    end
  end
end
return reply
