--[[ Puts a counter right from the ledger, without losing what is being booked meanwhile.
  KEYS[1]  the counter
  ARGV     what has been spent (nano-dollars), what the counter must still say, or `raise`, time to live (ms), 0 for ever
  Returns  1 set; 0 not: it says something else by now, or as much already
  A script because sessions go on spending while the ledger is read. ]]
local is = redis.call('GET', KEYS[1])
local isDue = ARGV[2] == 'raise' and tonumber(ARGV[1]) > tonumber(is or 0) or ARGV[2] == (is or '0')
if not isDue then return 0 end
redis.call('SET', KEYS[1], ARGV[1])
if ARGV[3] ~= '0' then redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
return 1
