--[[ What each account has used and holds.
  ARGV     now, account, account, …
  Returns  for each { slots, starts, tokens settled, tokens held, wait for one more token or false,
           money held, { period, spent, period, spent, … } }
  A script so that the numbers of one moment are seen together. Takes away only what has aged. ]]
local states = {}
for i, a in ipairs((parseAccounts(2))) do
  look(a)
  local k = key('tokens', a.name)
  local settled = lastMinute(k)
  local wait = a.tokens and settled + a.heldTokens >= a.tokens
    and waitFor(a.tokens - a.heldTokens - 1, k)
  local money = {}
  for _, period in ipairs(PERIODS) do
    if string.find(a.counters, COUNTER[period], 1, true) then
      money[#money + 1] = period
      money[#money + 1] = tonumber(redis.call('GET', key('spent', a.name .. ':' .. today[period])) or 0)
    end
  end
  local slots = redis.call('ZCARD', key('slots', a.name))
  states[i] = { slots, lastMinute(key('starts', a.name)), settled, a.heldTokens, wait or false, a.heldMoney, money }
end
return states
