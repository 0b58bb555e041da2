--[[ Takes a session's slots and counts its start, in every account or in none.
  ARGV     now, session, account, account, …
  Writes   lease:<session>, slots:<account>, starts:<account>; books what was running where a node has died
  Returns  { 1, level } admitted, or renewed where the session was admitted before
           { 0, level, { kind, limit, wait } } refused: nothing has been counted
  A script because two nodes may both see the last slot free. ]]
local session = ARGV[2]
local accounts, labels = parseAccounts(3)
reapAccounts(accounts, session)
for _, a in ipairs(accounts) do lookAtMoney(a) end
local level = levelOf(accounts)

-- A session that was running something goes on at another node: its own died, and what it was buying counts at once.
local function takeOver(lease)
  local money, tokens = 0, 0
  if lease then money, tokens = bookRunning(lease) end
  local heldMoney, heldTokens = lease and lease.money or 0, lease and lease.tokens or 0
  writeLease(session, lease, labels, true, math.max(0, heldMoney - money), math.max(0, heldTokens - tokens))
end

local lease = readLease(session)
if lease and lease.hasSlot then
  takeOver(lease)
  renewLease({ session = session, labels = labels, hasSlot = true })
  return { 1, level }
end

for _, a in ipairs(accounts) do
  if a.sessions and redis.call('ZCARD', key('slots', a.name)) >= a.sessions then
    return { 0, level, { a.kind, 'sessions', false } }
  end
  if a.starts then
    local k = key('starts', a.name)
    if lastMinute(k) >= a.starts then return { 0, level, { a.kind, 'starts', waitFor(a.starts - 1, k) } } end
  end
  for _, period in ipairs(PERIODS) do
    if a[period] and a.spent[period] >= a[period] then
      return { 0, level, { a.kind, period, a[period] > 0 and restOf(period) } }
    end
  end
end

for name in eachLabel(labels) do addToMinute(key('starts', name), second, 1) end
takeOver(lease)
return { 1, level }
