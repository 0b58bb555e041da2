--[[ Sets what a session's lease holds: all that is wanted, or as much of it as fits, never less than the least of use.
  ARGV     now, session, wanted money (nano-dollars), wanted tokens, least money, least tokens, standing (1 or 0),
           account, account, …
  Writes   lease:<session>, held:<account>
  Returns  { 1, money held, tokens held, room, level }
           { 0, money held, tokens held, room, level, { kind, limit, wait } } refused: the lease is as it was
  A script because sessions on many nodes share what is left. Amounts are absolute, so that asking twice changes nothing. ]]
local session = ARGV[2]
local wantMoney, wantTokens = tonumber(ARGV[3]), tonumber(ARGV[4])
local leastMoney, leastTokens = tonumber(ARGV[5]), tonumber(ARGV[6])
-- A standing lease may take no more than half of what is unspent, together with what all others hold.
local share = ARGV[7] == '1' and 2 or 1
local accounts, labels = parseAccounts(8)
reapAccounts(accounts, session)

local lease = readLease(session)
local ownMoney, ownTokens = lease and lease.money or 0, lease and lease.tokens or 0
local isOwn = {}
if lease then
  for name in eachLabel(lease.labels) do isOwn[name] = true end
end

local money, tokens, refusal = wantMoney, wantTokens, nil
for _, a in ipairs(accounts) do
  look(a)
  local othersMoney = a.heldMoney - (isOwn[a.name] and ownMoney or 0)
  local othersTokens = a.heldTokens - (isOwn[a.name] and ownTokens or 0)
  if a.tokens then
    local free = math.max(0, math.floor((a.tokens - a.settled) / share) - othersTokens)
    if free < leastTokens and not refusal then
      local wait = waitFor(a.tokens - share * (othersTokens + leastTokens), key('tokens', a.name))
      refusal = { a.kind, 'tokens', wait }
    end
    tokens = math.min(tokens, free)
  end
  for _, period in ipairs(PERIODS) do
    if a[period] then
      local free = math.max(0, math.floor((a[period] - a.spent[period]) / share) - othersMoney)
      if free < leastMoney and not refusal then
        refusal = { a.kind, period, leastMoney * share <= a[period] and restOf(period) }
      end
      money = math.min(money, free)
    end
  end
end
if refusal then return { 0, ownMoney, ownTokens, roomOf(accounts), levelOf(accounts), refusal } end

writeLease(session, lease, labels, lease ~= nil and lease.hasSlot, money, tokens)
for _, a in ipairs(accounts) do
  a.heldMoney = a.heldMoney + money - (isOwn[a.name] and ownMoney or 0)
  a.heldTokens = a.heldTokens + tokens - (isOwn[a.name] and ownTokens or 0)
end
return { 1, money, tokens, roomOf(accounts), levelOf(accounts) }
