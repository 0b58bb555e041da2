--[[ What the scripts about limits share; put in front of each but set-spent, below the lines that set LEASE_MS and RECORDS_KEPT_MS.
  KEYS[1]  root of every key, `parley:{limits}`. Its hash tag keeps all of them in one slot of a cluster, because one
           decision touches a user, a tenant and the installation; the scripts name the others themselves (store/keys.ts).
  ARGV[1]  now (epoch ms), empty for Redis's own time: no node's clock decides anything
  Accounts come as `<kind>:<id> sessions starts tokens budget day month`, -1 for no limit. A lease and an estimate keep
  them as labels, `<kind>:<id>/<counters>` joined by commas; counters are b(udget), d(ay), m(onth), as far as counted.
  Nothing is nil inside a reply, since that would cut it short: what is absent is false. ]]
local DAY_MS = 86400000
-- Beyond the end of their period; a correction comes at most RECORDS_KEPT_MS after what it corrects.
local DAY_KEPT_MS, MONTH_KEPT_MS = 3 * DAY_MS, 40 * DAY_MS
-- How many expired leases one call ends in one account: each takes some 30 µs.
local REAPED_AT_ONCE = 50

local function key(what, name) return KEYS[1] .. ':' .. what .. ':' .. name end
local LEASES = KEYS[1] .. ':leases'
local JOURNAL = KEYS[1] .. ':journal'

local function readTime()
  if ARGV[1] ~= '' then return tonumber(ARGV[1]) end
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
local now = readTime()
local second = math.floor(now / 1000)

-- UTC day and month of an instant, and when they end (days to civil date, proleptic Gregorian).
local function calendar(at)
  local days = math.floor(at / DAY_MS)
  local shifted = days + 719468
  local era = math.floor(shifted / 146097)
  local doe = shifted - era * 146097
  local yoe = math.floor((doe - math.floor(doe / 1460) + math.floor(doe / 36524) - math.floor(doe / 146096)) / 365)
  local doy = doe - (365 * yoe + math.floor(yoe / 4) - math.floor(yoe / 100))
  local march = math.floor((5 * doy + 2) / 153)
  local date = doy - math.floor((153 * march + 2) / 5) + 1
  local month = march < 10 and march + 3 or march - 9
  local year = yoe + era * 400 + (month <= 2 and 1 or 0)
  local length = ({ 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 })[month]
  if month == 2 and (year % 4 == 0 and year % 100 ~= 0 or year % 400 == 0) then length = 29 end
  return {
    budget = 'budget',
    day = string.format('day:%04d-%02d-%02d', year, month, date),
    month = string.format('month:%04d-%02d', year, month),
    dayEnd = (days + 1) * DAY_MS,
    monthEnd = (days - date + 1 + length) * DAY_MS,
  }
end
local today = calendar(now)

local PERIODS = { 'budget', 'day', 'month' }
local COUNTER = { budget = 'b', day = 'd', month = 'm' }

local function parseAccount(text)
  local name, kind, sessions, starts, tokens, budget, day, month =
    string.match(text, '^((%a+):%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+)$')
  local function limit(value)
    local n = tonumber(value)
    return n >= 0 and n or nil
  end
  local a = { name = name, kind = kind, sessions = limit(sessions), starts = limit(starts), tokens = limit(tokens) }
  a.budget, a.day, a.month = limit(budget), limit(day), limit(month)
  -- A session lives by its budget, everybody else by the calendar; the others are counted where there is a limit.
  local isSession = kind == 'session'
  a.counters = ((isSession or a.budget) and 'b' or '')
    .. ((not isSession or a.day) and 'd' or '')
    .. ((not isSession or a.month) and 'm' or '')
  return a
end

local function parseAccounts(from)
  local accounts, labels = {}, {}
  for i = from, #ARGV do
    local a = parseAccount(ARGV[i])
    accounts[#accounts + 1] = a
    labels[#labels + 1] = a.name .. '/' .. a.counters
  end
  return accounts, table.concat(labels, ',')
end

-- Iterates over name and counters of each account in `labels`.
local function eachLabel(labels) return string.gmatch(labels, '([^,/]+)/(%a*)') end

-- A session's budget counter outlives its last sign of life by RECORDS_KEPT_MS. What a user or a tenant may spend in its
-- whole life is never forgotten.
local function isMortal(name) return string.sub(name, 1, 8) == 'session:' end

-- MINUTES: a hash of seconds → amounts, with their `sum` and the `first` of them. A second counts as long as any part of it
-- may lie in the last 60 s. Old ones are taken away when the first has aged: once a second at most, however many ask.

local function bucketsOf(k)
  local flat, buckets = redis.call('HGETALL', k), {}
  for i = 1, #flat, 2 do
    local at = tonumber(flat[i])
    if at then buckets[#buckets + 1] = { at = at, amount = tonumber(flat[i + 1]) } end
  end
  table.sort(buckets, function(a, b) return a.at < b.at end)
  return buckets
end

local function lastMinute(k)
  local known = redis.call('HMGET', k, 'sum', 'first')
  if not known[1] then return 0 end
  local sum = tonumber(known[1])
  if tonumber(known[2]) >= second - 60 then return sum end
  local first
  for _, bucket in ipairs(bucketsOf(k)) do
    if bucket.at < second - 60 then
      sum = sum - bucket.amount
      redis.call('HDEL', k, bucket.at)
    else
      first = first or bucket.at
    end
  end
  if first then redis.call('HSET', k, 'sum', sum, 'first', first) else redis.call('DEL', k) end
  return first and sum or 0
end

-- How long until a minute holds at most `most`, ms, if nothing is added; false when it never will. Asked after lastMinute.
local function waitFor(most, k)
  if most < 0 then return false end
  local buckets, sum, wait = bucketsOf(k), 0, 0
  for _, bucket in ipairs(buckets) do sum = sum + bucket.amount end
  for _, bucket in ipairs(buckets) do
    if sum <= most then break end
    sum = sum - bucket.amount
    wait = (bucket.at + 61) * 1000 - now
  end
  return wait
end

local function addToMinute(k, at, amount)
  if amount == 0 or at < second - 60 then return end
  lastMinute(k)
  local isNew = redis.call('HINCRBY', k, at, amount) == amount
  redis.call('HINCRBY', k, 'sum', amount)
  if not isNew then return end
  local first = redis.call('HGET', k, 'first')
  if not first or at < tonumber(first) then redis.call('HSET', k, 'first', at) end
  redis.call('PEXPIRE', k, 62000)
end

-- LEASES

local function readLease(session)
  local l = redis.call('HMGET', key('lease', session), 'accounts', 'money', 'tokens', 'slot')
  if not l[1] then return nil end
  return { session = session, labels = l[1], money = tonumber(l[2]), tokens = tonumber(l[3]), hasSlot = l[4] == '1' }
end

local function addHeld(name, money, tokens)
  if money == 0 and tokens == 0 then return end
  local k = key('held', name)
  -- A zero of -0 is not a number to Redis.
  local moneyHeld = redis.call('HINCRBY', k, 'money', money == 0 and 0 or money)
  local tokensHeld = redis.call('HINCRBY', k, 'tokens', tokens == 0 and 0 or tokens)
  if moneyHeld == 0 and tokensHeld == 0 then redis.call('DEL', k) end
end

local function lane(hasSlot, name) return key(hasSlot and 'slots' or 'leases', name) end

local function renewLease(lease)
  local ends = now + LEASE_MS
  for name in eachLabel(lease.labels) do
    redis.call('ZADD', lane(lease.hasSlot, name), ends, lease.session)
    if isMortal(name) then redis.call('PEXPIRE', key('spent', name .. ':budget'), RECORDS_KEPT_MS) end
  end
  redis.call('ZADD', LEASES, ends, lease.session)
end

-- Writes what a lease holds from now on, and in which accounts. `lease` as read before, nil for a new one.
local function writeLease(session, lease, labels, hasSlot, money, tokens)
  local k = key('lease', session)
  if lease and lease.labels == labels and lease.hasSlot == hasSlot then
    if money == lease.money and tokens == lease.tokens then return end
    for name in eachLabel(labels) do addHeld(name, money - lease.money, tokens - lease.tokens) end
    redis.call('HSET', k, 'money', money, 'tokens', tokens)
    return
  end
  if lease then
    for name in eachLabel(lease.labels) do
      addHeld(name, -lease.money, -lease.tokens)
      redis.call('ZREM', lane(lease.hasSlot, name), session)
    end
  end
  for name in eachLabel(labels) do addHeld(name, money, tokens) end
  redis.call('HSET', k, 'accounts', labels, 'money', money, 'tokens', tokens, 'slot', hasSlot and '1' or '0')
  renewLease({ session = session, labels = labels, hasSlot = hasSlot })
end

-- BOOKING

local function addSpent(name, counters, period, at, cost)
  if not string.find(counters, COUNTER[period], 1, true) then return end
  local k = key('spent', name .. ':' .. at[period])
  local isFirst = cost ~= 0 and redis.call('INCRBY', k, cost) == cost
  if period == 'budget' then
    if isMortal(name) then redis.call('PEXPIRE', k, RECORDS_KEPT_MS) end
  elseif isFirst and period == 'day' then
    redis.call('PEXPIRE', k, at.dayEnd - now + DAY_KEPT_MS)
  elseif isFirst then
    redis.call('PEXPIRE', k, at.monthEnd - now + MONTH_KEPT_MS)
  end
end

-- Counts a record in all accounts as of `at` (epoch ms) and appends it to the journal, beside that instant: a ledger that
-- sorts records into days by it agrees with the counters.
local function count(labels, at, cost, weighted, json)
  local periods = at == now and today or calendar(at)
  for name, counters in eachLabel(labels) do
    for _, period in ipairs(PERIODS) do addSpent(name, counters, period, periods, cost) end
    addToMinute(key('tokens', name), math.floor(at / 1000), weighted)
  end
  redis.call('XADD', JOURNAL, '*', 'record', json, 'booked', string.format('%.0f', at))
end

-- What is remembered about a booked record; of an estimate all that its correction needs.
local function remember(id, isEstimate, labels, json)
  local known = isEstimate and string.format('estimate %.0f %s %s', now, labels, json) or 'usage'
  redis.call('SET', key('record', id), known, 'PX', RECORDS_KEPT_MS)
end

-- Books what was still running under a lease as estimated. Returns what that comes to: money, tokens.
local function bookRunning(lease)
  local money, tokens = 0, 0
  local k = key('lease', lease.session)
  local flat = redis.call('HGETALL', k)
  for i = 1, #flat, 2 do
    local id = string.match(flat[i], '^running:(.*)$')
    if id then redis.call('HDEL', k, flat[i]) end
    if id and redis.call('EXISTS', key('record', id)) == 0 then
      local cost, weighted, json = string.match(flat[i + 1], '^(%S+) (%S+) (.*)$')
      money, tokens = money + tonumber(cost), tokens + tonumber(weighted)
      count(lease.labels, now, tonumber(cost), tonumber(weighted), json)
      remember(id, true, lease.labels, json)
    end
  end
  return money, tokens
end

-- Books what was still running as estimated, then gives everything back.
local function endLease(session)
  local k = key('lease', session)
  local lease = readLease(session)
  if lease then
    bookRunning(lease)
    for name in eachLabel(lease.labels) do
      addHeld(name, -lease.money, -lease.tokens)
      redis.call('ZREM', lane(lease.hasSlot, name), session)
    end
    redis.call('DEL', k)
  end
  redis.call('ZREM', LEASES, session)
end

-- Ends expired leases in these accounts, so that what a dead node held is free even where nobody else looks after it. The
-- session that is asking is alive, however late.
local function reapAccounts(accounts, own)
  if #redis.call('ZRANGEBYSCORE', LEASES, '-inf', now, 'LIMIT', 0, 1) == 0 then return end
  for _, a in ipairs(accounts) do
    for _, what in ipairs({ 'slots', 'leases' }) do
      local expired = redis.call('ZRANGEBYSCORE', key(what, a.name), '-inf', now, 'LIMIT', 0, REAPED_AT_ONCE)
      for _, session in ipairs(expired) do
        if session == own then renewLease(readLease(session)) else endLease(session) end
      end
    end
  end
end

-- JUDGING

local function lookAtMoney(a)
  a.spent = {}
  for _, period in ipairs(PERIODS) do
    if a[period] then
      a.spent[period] = tonumber(redis.call('GET', key('spent', a.name .. ':' .. today[period])) or 0)
    end
  end
end

-- Fills in what counts against the account's limits: spent, held, and the tokens settled in the last minute.
local function look(a)
  lookAtMoney(a)
  local held = redis.call('HMGET', key('held', a.name), 'money', 'tokens')
  a.heldMoney, a.heldTokens = tonumber(held[1] or 0), tonumber(held[2] or 0)
  if a.tokens then a.settled = lastMinute(key('tokens', a.name)) end
end

local function least(a, b)
  if not a or b < a then return b end
  return a
end

-- What is left in the tightest account that was looked at: { money, tokens }.
local function roomOf(accounts)
  local money, tokens = false, false
  for _, a in ipairs(accounts) do
    for _, period in ipairs(PERIODS) do
      if a[period] then money = least(money, math.max(0, a[period] - a.spent[period] - a.heldMoney)) end
    end
    if a.tokens then tokens = least(tokens, math.max(0, a.tokens - a.settled - a.heldTokens)) end
  end
  return { money, tokens }
end

-- The budget nearest to its end by share spent: { kind, period, spent, cap }; false without any.
local function levelOf(accounts)
  local level, share = false, -1
  for _, a in ipairs(accounts) do
    for _, period in ipairs(PERIODS) do
      local cap = a[period]
      local part = cap and (cap == 0 and 1 or a.spent[period] / cap)
      if cap and part > share then level, share = { a.kind, period, a.spent[period], cap }, part end
    end
  end
  return level
end

-- How long a spent budget stays spent, ms; false for ever.
local function restOf(period)
  if period == 'day' then return today.dayEnd - now end
  return period == 'month' and today.monthEnd - now
end

