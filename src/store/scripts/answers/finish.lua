--[[ Ends a purchase: keeps its answer, and lets others look.
  KEYS[1]  the answer kept under this content              STRING
  KEYS[2]  who is buying it now                            STRING
  KEYS[3]  how often the asker's own step has been bought  STRING
  ARGV     token, how long to keep the answer (ms; 0: not at all), 1 where nothing was bought after all, the answer
  Returns  1
  A script because nobody may find neither the answer nor its buyer. Its repetition finds the lease gone and changes nothing. ]]
if ARGV[2] ~= '0' then redis.call('SET', KEYS[1], ARGV[4], 'PX', ARGV[2]) end
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 1 end
redis.call('DEL', KEYS[2])
if ARGV[3] == '1' and redis.call('DECR', KEYS[3]) <= 0 then redis.call('DEL', KEYS[3]) end
return 1
