--[[ Buys a second time, because nobody knows whether the first was bought.
  KEYS[1]  who is buying it now                            STRING
  KEYS[2]  how often the asker's own step has been bought  STRING
  ARGV     token, next token, lease (ms), time to live of KEYS[2] (ms)
  Returns  the number of this purchase; the same again for a repetition after a lost reply
  A script because the number must grow by one however often the reply is lost. Whoever has lost its lease buys all the
  same, under a number of its own. ]]
if redis.call('GET', KEYS[1]) == ARGV[2] then return tonumber(redis.call('GET', KEYS[2]) or 1) end
local number = redis.call('INCR', KEYS[2])
redis.call('PEXPIRE', KEYS[2], ARGV[4])
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
return number
