--[[ Books a record once and takes its cost out of the session's lease.
  ARGV     now, basis (usage, estimate, correction), record id, session, cost (nano-dollars), weighted tokens,
           money to keep in the lease at most, tokens to keep at most (-1: leave the lease alone), the record as JSON,
           account, account, …
  Writes   spent:<account>:<period>, tokens:<account>, lease:<session>, held:<account>, record:<id>, journal
  Returns  { 1, money held, tokens held, money beyond the lease, tokens beyond it, room, level } booked
           { 0, money held, tokens held, 0, 0, room, level } booked before; nothing has changed
           { 2, the estimate as JSON } it is the truth about an estimate: come back with the difference as a correction
  A script because a record is booked by its session and by whoever reaps its lease, and each may ask twice. A correction
  counts in the day, the month and the second of its estimate, where that is still counted. ]]
local basis, id, session = ARGV[2], ARGV[3], ARGV[4]
local cost, weighted = tonumber(ARGV[5]), tonumber(ARGV[6])
local keepMoney, keepTokens, json = tonumber(ARGV[7]), tonumber(ARGV[8]), ARGV[9]
local accounts, labels = parseAccounts(10)
redis.call('HDEL', key('lease', session), 'running:' .. id)

local known = redis.call('GET', key('record', id))
local estimatedAt, estimatedFor, estimate
if known then estimatedAt, estimatedFor, estimate = string.match(known, '^estimate (%d+) (%S*) (.*)$') end
if basis == 'usage' and estimate then return { 2, estimate } end

local isNew = not known
local at = now
if basis == 'correction' then
  isNew = estimate ~= nil
  if isNew then at, labels = tonumber(estimatedAt), estimatedFor end
end

local lease = readLease(session)
local money, tokens = lease and lease.money or 0, lease and lease.tokens or 0
local overMoney, overTokens = 0, 0
if isNew then
  count(labels, at, cost, weighted, json)
  remember(id, basis == 'estimate', labels, json)
  local takenMoney, takenTokens = math.max(0, cost), math.max(0, weighted)
  if lease and keepMoney >= 0 then
    overMoney, overTokens = math.max(0, takenMoney - money), math.max(0, takenTokens - tokens)
    money = math.min(keepMoney, math.max(0, money - takenMoney))
    tokens = math.min(keepTokens, math.max(0, tokens - takenTokens))
    writeLease(session, lease, lease.labels, lease.hasSlot, money, tokens)
  else
    overMoney, overTokens = takenMoney, takenTokens
  end
end
for _, a in ipairs(accounts) do look(a) end
return { isNew and 1 or 0, money, tokens, overMoney, overTokens, roomOf(accounts), levelOf(accounts) }
