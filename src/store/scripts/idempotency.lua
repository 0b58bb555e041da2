--[[ What becomes of a request that names itself.
  KEYS[1]  the request   HASH  print, state (running, done), token, answer (JSON)
  ARGV     step, then
             'begin'   fingerprint, token, lease (ms)        → 'new' | 'running' | 'mismatch' | the stored answer
             'renew'   token, lease (ms)                     → 'ok'  | 'lost'
             'keep'    token, answer, how long to keep (ms)  → 'ok'  | 'lost'
             'forget'  token                                 → 'ok'  | 'lost'
  A script because a hundred equal requests may come at once, and one of them may do it. A lease ends by itself: a node that
  dies does not lock its caller out. ]]
local step = ARGV[1]
local known = redis.call('HMGET', KEYS[1], 'print', 'state', 'token', 'answer')
if step == 'begin' then
  if not known[1] then
    redis.call('HSET', KEYS[1], 'print', ARGV[2], 'state', 'running', 'token', ARGV[3])
    redis.call('PEXPIRE', KEYS[1], ARGV[4])
    return 'new'
  end
  if known[1] ~= ARGV[2] then return 'mismatch' end
  if known[2] == 'done' then return known[4] end
  return known[3] == ARGV[3] and 'new' or 'running'
end
if known[3] ~= ARGV[2] then return 'lost' end
if step == 'renew' then redis.call('PEXPIRE', KEYS[1], ARGV[3])
elseif step == 'forget' then redis.call('DEL', KEYS[1])
else
  redis.call('HSET', KEYS[1], 'state', 'done', 'answer', ARGV[3])
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
end
return 'ok'
