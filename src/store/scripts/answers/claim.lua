--[[ Who buys what many may want at once: one of them, and the others get its answer.
  KEYS[1]  the answer kept under this content              STRING
  KEYS[2]  who is buying it now                            STRING  token, with the expiry of a lease
  KEYS[3]  how often the asker's own step has been bought  STRING
  ARGV     token, lease (ms), time to live of KEYS[3] (ms)
  Returns  { 'kept', the answer }
           { 'busy', what is left of the other's lease (ms) }
           { 'yours', the number of this purchase, from 1 } buy it; the same again for a repetition after a lost reply
  A script because two workers may look for the same answer at the same moment. ]]
local answer = redis.call('GET', KEYS[1])
if answer then return { 'kept', answer } end
local holder = redis.call('GET', KEYS[2])
if holder == ARGV[1] then return { 'yours', tonumber(redis.call('GET', KEYS[3]) or 1) } end
if holder then return { 'busy', math.max(1, redis.call('PTTL', KEYS[2])) } end
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
local number = redis.call('INCR', KEYS[3])
redis.call('PEXPIRE', KEYS[3], ARGV[3])
return { 'yours', number }
